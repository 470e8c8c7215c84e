/*
Copyright 2026 The KubeVela Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package provider

import (
	"context"
	"crypto/tls"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

//go:embed http.cue
var httpSource string

// maxRateLimiters is the maximum number of URLs whose requests are counted. The least
// recently used is forgotten first.
const maxRateLimiters = 128

// sendRequest sends the request with the parameters of the call.
func sendRequest(ctx context.Context, e *executor, _ client.Client, call Call) (Result, error) {
	r := request{executor: e, secrets: newSecretReader(ctx, e.options), credentials: redact.New(), scope: call.Scope, params: call.Params}
	r.settings, _ = call.Params["request"].(map[string]any)
	response, err := r.send(ctx)
	if err != nil {
		return nil, err
	}
	if call.Provider == "op" {
		return Result{"response": response}, nil
	}
	return call.returns(response), nil
}

// request is one call of `vela/http`.
type request struct {
	*executor
	secrets *secretReader
	// credentials are those in the headers. Servers repeat them in responses.
	credentials      *redact.Values
	scope            *Scope
	params, settings map[string]any
}

func (r *request) send(ctx context.Context) (map[string]any, error) {
	timeout, err := duration("request.timeout", str(r.settings, "timeout"), egress.DefaultTimeout)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := r.build(ctx)
	if err != nil {
		return nil, err
	}
	config, err := r.tlsConfig(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.checkRateLimit(req); err != nil {
		return nil, err
	}
	sameHost := egress.SameHostOnly(r.secrets.hasRead || config != nil && len(config.Certificates) > 0)
	endpoint := req.Method + " " + req.URL.Scheme + "://" + req.URL.Host
	response, err := r.options.Egress.Do(req, config, sameHost)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", endpoint, classify(err))
	}
	if ok, _ := r.params["requireOK"].(bool); ok && response.Status/100 != 2 {
		return nil, &StatusError{
			Request: endpoint, Code: response.Status, Body: strings.TrimSpace(explainRedirect(req, response) + quoteBody(ctx, response.Body, r.secrets.hasRead)),
			RetryAfter: requestedDelay(response, r.options.Clock.Now()),
		}
	}
	if accept, ok := r.params["accept"].(map[string]any); ok {
		if err := checkAccepted(ctx, endpoint, accept, response.Body, r.secrets.hasRead); err != nil {
			return nil, err
		}
	}
	return map[string]any{
		"body": r.credentials.Document(string(response.Body)), "statusCode": int64(response.Status),
		"header": r.headerFields(response.Header), "trailer": r.headerFields(response.Trailer),
	}, nil
}

// explainRedirect returns why a redirect was not followed, for the error; "" for other
// responses. Of the address, which may be a secret, it has only the host.
func explainRedirect(req *http.Request, response *egress.Response) string {
	location, err := req.URL.Parse(response.Header.Get("Location"))
	if err != nil || response.Status/100 != 3 || response.Header.Get("Location") == "" {
		return ""
	}
	return fmt.Sprintf("a redirect to %s://%s, which would turn %s into GET; use the address where it leads to. ", location.Scheme, location.Host, req.Method)
}

// build returns the request with its headers, credentials and signature.
func (r *request) build(ctx context.Context) (*http.Request, error) {
	target, err := r.url(ctx)
	if err != nil {
		return nil, err
	}
	header, err := r.headers(ctx)
	if err != nil {
		return nil, err
	}
	causes := r.options.Causes(ctx)
	body := addCauses(header, r.scope.outgoing(str(r.settings, "body")), causes)
	if sign, ok := r.params["sign"].(map[string]any); ok {
		if body, err = r.sign(ctx, sign, target, body); err != nil {
			return nil, err
		}
	}
	method := str(r.params, "method")
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(body))
	if err != nil {
		return nil, &ParamError{Path: "method", Message: fmt.Sprintf("invalid method %q", method)}
	}
	if len(header) == 0 && body != "" {
		header.Set("Content-Type", "application/json")
	}
	if causes != "" {
		header.Set(event.CausesHeader, causes)
	}
	req.Header = header
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	trailer, err := stringMap(r.settings["trailer"])
	if err != nil {
		return nil, &ParamError{Path: "request.trailer", Message: err.Error()}
	}
	if len(trailer) > 0 {
		req.Trailer, req.ContentLength = http.Header{}, -1
		for k, v := range trailer {
			req.Trailer.Set(k, v)
		}
	}
	if auth, ok := r.settings["basicAuth"].(map[string]any); ok {
		password, err := r.secrets.lookup(ctx, "request.basicAuth.passwordFrom", auth["passwordFrom"])
		if err != nil {
			return nil, err
		}
		user := str(auth, "username")
		encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		r.secrets.values.Add(encoded)
		r.credentials.AddStrings([]any{password, encoded})
		req.SetBasicAuth(user, password)
	}
	return req, nil
}

// addCauses adds causes as an attribute to a CloudEvent: to its headers in binary mode,
// and to its body in structured mode, which it returns. Of other requests it returns the
// body as it is.
func addCauses(header http.Header, body, causes string) string {
	switch {
	case causes == "":
	case header.Get("Ce-Id") != "":
		header.Set("Ce-"+event.CausesAttribute, causes)
	case strings.HasPrefix(header.Get("Content-Type"), "application/cloudevents+json"):
		var given map[string]json.RawMessage
		attributes, isObject := strings.CutPrefix(body, "{")
		if isObject && json.Unmarshal([]byte(body), &given) == nil && given["specversion"] != nil && given[event.CausesAttribute] == nil {
			return "{" + strconv.Quote(event.CausesAttribute) + ":" + strconv.Quote(causes) + "," + attributes
		}
	}
	return body
}

func (r *request) url(ctx context.Context) (*url.URL, error) {
	const invalid = "invalid URL: must begin with http:// or https:// and a host"
	if from, ok := r.params["urlFrom"]; ok {
		text, err := r.secrets.lookup(ctx, "urlFrom", from)
		if err != nil {
			return nil, err
		}
		if target := parseURL(text); target != nil {
			return target, nil
		}
		return nil, errors.New("$params.urlFrom: " + invalid) // the Secret may be corrected
	}
	if target := parseURL(str(r.params, "url")); target != nil {
		target.RawQuery = r.scope.outgoing(target.RawQuery)
		return target, nil
	}
	return nil, &ParamError{Path: "url", Message: invalid}
}

// parseURL returns the URL of a server, or nil. The error of url.Parse contains the URL,
// which may be a secret.
func parseURL(text string) *url.URL {
	target, err := url.Parse(text)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil
	}
	return target
}

func (r *request) headers(ctx context.Context) (http.Header, error) {
	plain, err := stringMap(r.settings["header"])
	if err != nil {
		return nil, &ParamError{Path: "request.header", Message: err.Error()}
	}
	header := http.Header{}
	for k, v := range plain {
		header.Set(k, r.scope.outgoing(v))
	}
	from, _ := r.settings["headerFrom"].(map[string]any)
	for k, ref := range from {
		value, err := r.secrets.lookup(ctx, "request.headerFrom."+k, ref)
		if err != nil {
			return nil, err
		}
		around, _ := ref.(map[string]any)
		r.credentials.AddStrings(strings.TrimSuffix(strings.TrimPrefix(value, str(around, "prefix")), str(around, "suffix")))
		header.Set(k, value)
	}
	return header, nil
}

func (r *request) tlsConfig(ctx context.Context) (*tls.Config, error) {
	config, ok := r.params["tls_config"].(map[string]any)
	if !ok {
		return nil, nil
	}
	if ns := str(config, "namespace"); ns != "" && ns != r.secrets.namespace {
		return nil, &ParamError{Path: "tls_config.namespace", Message: fmt.Sprintf("must be the trigger's namespace %q", r.secrets.namespace)}
	}
	return r.secrets.tlsConfig(ctx, "tls_config.secret", str(config, "secret"))
}

func (r *request) checkRateLimit(req *http.Request) error {
	limit, ok := r.settings["ratelimiter"].(map[string]any)
	if !ok {
		return nil
	}
	n, _ := limit["limit"].(int64)
	period, err := duration("request.ratelimiter.period", str(limit, "period"), 0)
	if err != nil || n < 1 || period <= 0 {
		return &ParamError{Path: "request.ratelimiter", Message: "must have a positive limit and period"}
	}
	if !r.limiter.Allow(req.Method+" "+req.URL.Scheme+req.URL.Host+req.URL.Path, int(n), period) {
		return errors.New("rate limit exceeded")
	}
	return nil
}

// classify returns a FailedError, which is not retried, for denied addresses, responses
// that are too large, and redirects that must not be followed.
func classify(err error) error {
	var (
		denied   *egress.DeniedAddressError
		tooLarge *egress.TooLargeError
		redirect *egress.RedirectError
	)
	if errors.As(err, &redirect) {
		return &FailedError{Message: redirect.Error()}
	}
	if errors.As(err, &denied) {
		return &FailedError{Message: denied.Error()}
	}
	if errors.As(err, &tooLarge) {
		return &FailedError{Message: tooLarge.Error()}
	}
	return err
}

func duration(path, text string, fallback time.Duration) (time.Duration, error) {
	if text == "" {
		return fallback, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, &ParamError{Path: path, Message: fmt.Sprintf("invalid duration %q: must be a positive duration such as \"5s\"", text)}
	}
	return d, nil
}

func (r *request) headerFields(h http.Header) map[string]any {
	out := make(map[string]any, len(h))
	for k, values := range h {
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = r.credentials.Text(v)
		}
		out[k] = list
	}
	return out
}
