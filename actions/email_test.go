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

package actions_test

import (
	"io"
	"mime"
	"net"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/test/smtp"
)

// TestNotifyEmail sends messages with each encryption. Text cannot add headers.
func TestNotifyEmail(t *testing.T) {
	e := startWithLoopback(t)
	m := smtp.New(t)
	e.secret(t, "mail", map[string]any{"password": "open sesame", "ca.crt": m.CA})
	properties := func(server map[string]any) map[string]any {
		return map[string]any{
			"from": "trigger@example.com", "alias": "Trigger Ü", "to": []any{"a@example.com", "B <b@example.com>"},
			"subject": "{{.data.metadata.name}} über\r\nBcc: all@example.com", "message": "first\n.\nlast ü",
			"server": m.Properties(server),
		}
	}
	password := secretRef("mail", "password")
	for _, tc := range []struct {
		name            string
		implicit, noTLS bool
		server          map[string]any
		encrypted, auth bool
	}{
		{"starttls", false, false, map[string]any{"tlsSecret": "mail", "password": password}, true, true},
		{"implicit", true, false, map[string]any{"tls": "implicit", "tlsSecret": "mail", "password": password}, true, true},
		{"plain", false, true, nil, false, false},
		{"none", false, false, map[string]any{"tls": "none"}, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m.Set(smtp.Behavior{Implicit: tc.implicit, NoTLS: tc.noTLS})
			e.mustRun(t, "notify-email", properties(tc.server), e.event("settings"))
			d, header, body := m.Take(t)
			if d.Encrypted != tc.encrypted || d.Authenticated != tc.auth || d.From != "FROM:<trigger@example.com>" || strings.Join(d.To, " ") != "TO:<a@example.com> TO:<b@example.com>" {
				t.Errorf("got %+v", d)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
			sender, _ := header.AddressList("From")
			if err != nil || subject != "settings über\r\nBcc: all@example.com" || header.Get("Bcc") != "" || sender[0].Name != "Trigger Ü" {
				t.Errorf("header %v: subject %q (%v)", header, subject, err)
			}
			if strings.TrimRight(body, "\r\n") != "first\r\n.\r\nlast ü" {
				t.Errorf("body %q", body)
			}
			if _, err := header.Date(); err != nil || header.Get("Message-Id") == "" || header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("header %v (%v)", header, err)
			}
		})
	}
	m.Set(smtp.Behavior{})
	e.mustRun(t, "notify-email", map[string]any{"from": "trigger@example.com", "to": []any{"a@example.com"}, "server": m.Properties(map[string]any{"tls": "none"})}, e.event("settings"))
	if _, header, body := m.Take(t); header.Get("Subject") != "ConfigMap "+e.namespace+"/settings was changed" || !strings.Contains(body, "Trigger "+e.namespace+"/live") {
		t.Errorf("by default %v %q", header, body)
	}
}

// TestNotifyEmail_HangUp does not send a message again that the server has taken.
func TestNotifyEmail_HangUp(t *testing.T) {
	e := startWithLoopback(t)
	m := smtp.New(t)
	m.Set(smtp.Behavior{HangUp: true})
	e.mustRun(t, "notify-email", map[string]any{
		"from": "trigger@example.com", "to": []any{"a@example.com"}, "server": m.Properties(map[string]any{"tls": "none"}),
	}, e.event("settings"))
	m.Take(t)
}

// TestNotifyEmail_Errors distinguishes terminal errors. No error contains the password.
func TestNotifyEmail_Errors(t *testing.T) {
	e := startWithLoopback(t)
	m := smtp.New(t)
	e.secret(t, "mail", map[string]any{"password": "open sesame", "wrong": "guessed it", "ca.crt": m.CA})
	for _, tc := range []struct {
		name          string
		noTLS         bool
		refuse, to    string
		server        map[string]any
		final         bool
		want, wantNot string
	}{
		{"wrong password", false, "", "", map[string]any{"tlsSecret": "mail", "password": secretRef("mail", "wrong")}, false, "535", "guessed it"},
		{"password in the open", true, "", "", map[string]any{"password": secretRef("mail", "password")}, true, "unencrypted connection", "open sesame"},
		{"no STARTTLS", true, "", "", map[string]any{"tls": "starttls"}, true, "does not offer STARTTLS", ""},
		{"not trusted", false, "", "", map[string]any{"password": secretRef("mail", "password")}, false, "certificate", "open sesame"},
		{"no such user", false, "550 5.1.1 no such user", "", map[string]any{"tls": "none"}, true, `550 "5.1.1 no such user"`, ""},
		{"mailbox full", false, "552 5.2.2 over quota", "", map[string]any{"tls": "none"}, false, `552 "5.2.2 over quota"`, ""},
		{"greylisted", false, "451 4.7.1 later", "", map[string]any{"tls": "none"}, false, `451 "4.7.1 later"`, ""},
		{"no address", false, "", "invalid\r\nDATA", nil, true, "invalid email address", ""},
		{"no key", false, "", "", map[string]any{"password": secretRef("mail", "absent")}, false, `no key "absent"`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m.Set(smtp.Behavior{NoTLS: tc.noTLS, Refuse: tc.refuse})
			to := tc.to
			if to == "" {
				to = "a@example.com"
			}
			err := e.run(t, "notify-email", map[string]any{"from": "trigger@example.com", "to": []any{to}, "server": m.Properties(tc.server)}, e.event("x"))
			if err == nil || action.IsTerminal(err) != tc.final || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v (terminal: %v), want %q", err, action.IsTerminal(err), tc.want)
			}
			if tc.wantNot != "" && strings.Contains(err.Error(), tc.wantNot) {
				t.Errorf("the error contains a secret: %v", err)
			}
		})
	}
	denied := e
	denied.policy.Allow = nil
	err := denied.run(t, "notify-email", map[string]any{"from": "trigger@example.com", "to": []any{"a@example.com"}, "server": m.Properties(nil)}, e.event("x"))
	if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "denied") {
		t.Errorf("got %v, want a terminal error", err)
	}
	if mails := m.Mails(); len(mails) > 0 {
		t.Errorf("sent %v", mails)
	}
}

// TestNotifyEmail_EndlessReply limits the data that is read from the server.
func TestNotifyEmail_EndlessReply(t *testing.T) {
	e := startWithLoopback(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		c, err := listener.Accept()
		for err == nil {
			_, err = io.WriteString(c, "220-"+strings.Repeat("x", 1<<16))
		}
	}()
	server := map[string]any{"host": "127.0.0.1", "port": int64(listener.Addr().(*net.TCPAddr).Port)}
	err = e.run(t, "notify-email", map[string]any{"from": "a@example.com", "to": []any{"b@example.com"}, "server": server}, e.event("x"))
	if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "more than 1024 KiB") {
		t.Errorf("got %v", err)
	}
}
