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
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
)

// sign adds a signature of the current time to target or body, and returns the body.
//
// DingTalk ("Customize the security settings of robots", sign) expects
// base64(HMAC-SHA256(secret, timestamp + "\n" + secret)) with a time in
// milliseconds, in the query. Lark ("Custom bot usage guide", signature
// verification) expects base64(HMAC-SHA256(timestamp + "\n" + secret, "")) with a
// time in seconds, in the body.
func (r *request) sign(ctx context.Context, sign map[string]any, target *url.URL, body string) (string, error) {
	secret, err := r.secrets.lookup(ctx, "sign.secretFrom", sign["secretFrom"])
	if err != nil {
		return "", err
	}
	now := r.options.Clock.Now()
	switch as := str(sign, "as"); as {
	case "dingtalk":
		timestamp := strconv.FormatInt(now.UnixMilli(), 10)
		q := target.Query()
		q.Set("timestamp", timestamp)
		q.Set("sign", hmacSHA256(secret, timestamp+"\n"+secret))
		target.RawQuery = q.Encode()
		return body, nil
	case "lark":
		timestamp := strconv.FormatInt(now.Unix(), 10)
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &m); err != nil || m == nil {
			return "", &ParamError{Path: "request.body", Message: "must be a JSON object to be signed"}
		}
		m["timestamp"] = json.RawMessage(strconv.Quote(timestamp))
		m["sign"] = json.RawMessage(strconv.Quote(hmacSHA256(timestamp+"\n"+secret, "")))
		b, err := json.Marshal(m)
		return string(b), err
	default:
		return "", &ParamError{Path: "sign.as", Message: "must be dingtalk or lark"}
	}
}

func hmacSHA256(key, message string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(message))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
