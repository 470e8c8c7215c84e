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

package webhook_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	snsTopic   = "arn:aws:sns:us-west-2:123456789012:MyTopic"
	snsCertURL = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
	snsConfirm = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + snsTopic + "&Token=2336412f37"
)

// fakeSNS stands for Amazon SNS: it signs messages, and answers the requests of a receiver.
type fakeSNS struct {
	t    *testing.T
	key  *rsa.PrivateKey
	cert []byte

	mu      sync.Mutex
	fetched []string
	err     error
}

func newFakeSNS(t *testing.T, expires time.Time) *fakeSNS {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: expires}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeSNS{t: t, key: key, cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (f *fakeSNS) fetch(_ context.Context, url string) (int, []byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fetched = append(f.fetched, url)
	switch url {
	case snsCertURL:
		return http.StatusOK, f.cert, f.err
	case snsConfirm:
		return http.StatusOK, []byte("<ConfirmSubscriptionResponse/>"), f.err
	}
	return http.StatusNotFound, nil, f.err
}

func (f *fakeSNS) use(w *worker) { w.options.Fetch = f.fetch }

// count returns how often a URL was fetched; "" counts all.
func (f *fakeSNS) count(url string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, u := range f.fetched {
		if url == "" || u == url {
			n++
		}
	}
	return n
}

// sign returns the message with its signature.
func (f *fakeSNS) sign(version string, m map[string]string) string {
	f.t.Helper()
	m = maps.Clone(m)
	names := []string{"Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	var text strings.Builder
	for _, name := range names {
		if m[name] != "" {
			text.WriteString(name + "\n" + m[name] + "\n")
		}
	}
	first := sha1.Sum([]byte(text.String()))
	hash, sum := crypto.SHA1, first[:]
	if version == "2" {
		second := sha256.Sum256([]byte(text.String()))
		hash, sum = crypto.SHA256, second[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, f.key, hash, sum)
	if err != nil {
		f.t.Fatal(err)
	}
	m["SignatureVersion"], m["Signature"] = version, base64.StdEncoding.EncodeToString(signature)
	if m["SigningCertURL"] == "" {
		m["SigningCertURL"] = snsCertURL
	}
	out, err := json.Marshal(m)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(out)
}

func confirmation() map[string]string {
	return map[string]string{
		"Type": "SubscriptionConfirmation", "MessageId": "165545c9", "Token": "2336412f37", "TopicArn": snsTopic, "Message": "You have chosen to subscribe.",
		"SubscribeURL": snsConfirm, "Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	}
}

func notification() map[string]string {
	return map[string]string{
		"Type": "Notification", "MessageId": "22b80b92", "TopicArn": snsTopic, "Subject": "pushed", "Message": `{"a":1}`,
		"Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	}
}

// snsHeaders are the headers of a message.
func snsHeaders(kind string) map[string]string {
	return map[string]string{"Content-Type": "text/plain; charset=UTF-8", "X-Amz-Sns-Message-Type": kind, "X-Amz-Sns-Message-Id": "165545c9"}
}

// TestSNS_Confirmation confirms a subscription once the signature holds, and only at a host
// of Amazon (rochacon/elastic-nginx#3, scmmishra/picoletter#143). The confirmation is no
// event.
func TestSNS_Confirmation(t *testing.T) {
	for _, version := range []string{"1", "2"} {
		t.Run("version "+version, func(t *testing.T) {
			f := newFakeSNS(t, time.Now().Add(time.Hour))
			w := serve(t, "auth: none", f.use)
			headers := snsHeaders("SubscriptionConfirmation")
			w.expectStatus(http.StatusOK, request{body: f.sign(version, confirmation()), headers: headers})
			if f.count(snsConfirm) != 1 || f.count("") != 2 {
				t.Errorf("fetched %v", f.fetched)
			}
			// The certificate is remembered.
			w.expectStatus(http.StatusOK, request{body: f.sign(version, confirmation()), headers: headers})
			if f.count(snsConfirm) != 2 || f.count(snsCertURL) != 1 {
				t.Errorf("fetched %v", f.fetched)
			}
			w.waitForEvents(0)
		})
	}
}

// TestSNS_BadConfirmation confirms no subscription that Amazon has not signed, and connects to
// no other host.
func TestSNS_BadConfirmation(t *testing.T) {
	old := time.Now().Add(-3 * time.Hour).UTC().Format(time.RFC3339)
	for name, tc := range map[string]struct {
		change func(m map[string]string)
		// tampered changes the signed text.
		tampered [2]string
		status   int
	}{
		"tampered token":       {nil, [2]string{"2336412f37", "2336412f38"}, http.StatusUnauthorized},
		"tampered topic":       {nil, [2]string{`"TopicArn":"arn`, `"TopicArn":"brn`}, http.StatusUnauthorized},
		"old":                  {func(m map[string]string) { m["Timestamp"] = old }, [2]string{}, http.StatusUnauthorized},
		"no time":              {func(m map[string]string) { m["Timestamp"] = "now" }, [2]string{}, http.StatusUnauthorized},
		"certificate of other": {func(m map[string]string) { m["SigningCertURL"] = "https://example.com/SimpleNotificationService-1.pem" }, [2]string{}, http.StatusUnauthorized},
		"certificate by http":  {func(m map[string]string) { m["SigningCertURL"] = strings.Replace(snsCertURL, "https", "http", 1) }, [2]string{}, http.StatusUnauthorized},
		"certificate in a query": {func(m map[string]string) {
			m["SigningCertURL"] = "https://sns.us-west-2.amazonaws.com@example.com/SimpleNotificationService-1.pem"
		}, [2]string{}, http.StatusUnauthorized},
		"host with a suffix": {func(m map[string]string) {
			m["SigningCertURL"] = "https://sns.us-west-2.amazonaws.com.example.com/SimpleNotificationService-1.pem"
		}, [2]string{}, http.StatusUnauthorized},
		"unknown certificate": {func(m map[string]string) {
			m["SigningCertURL"] = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0.pem"
		}, [2]string{}, http.StatusUnauthorized},
		"unknown version": {nil, [2]string{`"SignatureVersion":"1"`, `"SignatureVersion":"3"`}, http.StatusUnauthorized},
		// These are events: somebody else's clouds have other hosts.
		"other host":    {func(m map[string]string) { m["SubscribeURL"] = "https://example.com/?Action=ConfirmSubscription" }, [2]string{}, http.StatusAccepted},
		"internal host": {func(m map[string]string) { m["SubscribeURL"] = "http://169.254.169.254/?Action=ConfirmSubscription" }, [2]string{}, http.StatusAccepted},
		"other action":  {func(m map[string]string) { m["SubscribeURL"] = "https://sns.us-west-2.amazonaws.com/?Action=Publish" }, [2]string{}, http.StatusAccepted},
		"other field":   {nil, [2]string{`{`, `{"message":"x",`}, http.StatusAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeSNS(t, time.Now().Add(time.Hour))
			w := serve(t, "auth: none", f.use)
			m := confirmation()
			if tc.change != nil {
				tc.change(m)
			}
			body := f.sign("1", m)
			if tc.tampered[0] != "" {
				if body = strings.Replace(body, tc.tampered[0], tc.tampered[1], 1); !strings.Contains(body, tc.tampered[1]) {
					t.Fatal("not tampered with")
				}
			}
			w.expectStatus(tc.status, request{body: body, headers: snsHeaders("SubscriptionConfirmation")})
			if f.count(snsConfirm) != 0 {
				t.Error("the subscription is confirmed")
			}
			for _, url := range f.fetched {
				if !strings.HasPrefix(url, "https://sns.us-west-2.amazonaws.com/") {
					t.Errorf("connected to %s", url)
				}
			}
		})
	}
}

// TestSNS_Unavailable answers with 503, so that Amazon tries again.
func TestSNS_Unavailable(t *testing.T) {
	f := newFakeSNS(t, time.Now().Add(time.Hour))
	f.err = errors.New("no route")
	w := serve(t, "auth: none", f.use)
	w.expectStatus(http.StatusServiceUnavailable, request{body: f.sign("1", confirmation()), headers: snsHeaders("SubscriptionConfirmation")})
	none := serve(t, "auth: none")
	none.expectStatus(http.StatusServiceUnavailable, request{body: f.sign("1", confirmation()), headers: snsHeaders("SubscriptionConfirmation")})
}

// TestSNS_ExpiredCertificate confirms nothing that is signed with it.
func TestSNS_ExpiredCertificate(t *testing.T) {
	f := newFakeSNS(t, time.Now().Add(-time.Minute))
	w := serve(t, "auth: none", f.use)
	w.expectStatus(http.StatusUnauthorized, request{body: f.sign("1", confirmation()), headers: snsHeaders("SubscriptionConfirmation")})
}

// TestSNSAuth accepts the messages of its topics, once each.
func TestSNSAuth(t *testing.T) {
	f := newFakeSNS(t, time.Now().Add(time.Hour))
	w := serve(t, "auth: {type: sns, topics: ["+snsTopic+"]}", f.use)
	w.expectStatus(http.StatusOK, request{body: f.sign("2", confirmation()), headers: snsHeaders("SubscriptionConfirmation")})
	good := request{body: f.sign("2", notification()), headers: snsHeaders("Notification")}
	w.expectStatus(http.StatusAccepted, good)
	for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", "text/plain; charset=iso-8859-1"} {
		good.headers["Content-Type"] = contentType
		w.expectStatus(http.StatusOK, good)
	}
	for _, header := range []string{"X-Amz-Sns-Message-Id", "X-Delivery-Id", "X-GitHub-Event", "Ce-Id"} { // not signed
		good.headers[header] = "2"
		w.expectStatus(http.StatusOK, good)
	}
	other, noSubject := notification(), notification()
	other["TopicArn"] = snsTopic + "2"
	noSubject["MessageId"] = "22b80b93"
	delete(noSubject, "Subject")
	for name, body := range map[string]string{
		"another topic":    f.sign("2", other),
		"tampered":         strings.Replace(good.body, "pushed", "pulled", 1),
		"another field":    strings.Replace(good.body, "{", `{"detail-type":"ECR Image Action",`, 1),
		"a field's name":   strings.Replace(good.body, "{", `{"message":"x",`, 1),
		"raw":              `{"a":1}`,
		"no JSON":          `hello`,
		"nothing":          ``,
		"another one's":    newFakeSNS(t, time.Now().Add(time.Hour)).sign("2", notification()),
		"without signture": strings.Replace(good.body, `"Signature":"`, `"Signature":"%`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if status, response := w.send(request{body: body, headers: snsHeaders("Notification")}); status != http.StatusUnauthorized {
				t.Errorf("%d %s", status, response)
			}
		})
	}
	w.expectStatus(http.StatusAccepted, request{body: f.sign("1", noSubject), headers: snsHeaders("Notification")})
	events := w.waitForEvents(2)
	if ev := events[0]; ev.Type != "Notification" || ev.ID != "webhook/n/t/22b80b92" {
		t.Errorf("event %s %s", ev.Type, ev.ID)
	}
}
