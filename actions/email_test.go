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
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
)

// smtpServer is an SMTP server (RFC 5321, 3207, 4954) for clients that send one message.
// It has one user, "trigger@example.com" with the password "open sesame".
type smtpServer struct {
	t        *testing.T
	listener net.Listener
	tls      *tls.Config
	ca       string

	mu       sync.Mutex
	behavior smtpBehavior
	messages []receivedMail
}

// smtpBehavior is how an smtpServer answers: implicit enables implicit TLS, noTLS disables
// STARTTLS; refuse is the reply to RCPT instead of 250. hangUp ends the connection instead of
// a reply to QUIT.
type smtpBehavior struct {
	implicit, noTLS, hangUp bool
	refuse                  string
}

// set changes the behavior for later connections.
func (m *smtpServer) set(b smtpBehavior) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.behavior = b
}

type receivedMail struct {
	encrypted, authenticated bool
	from                     string
	to                       []string
	message                  string
}

func newSMTPServer(t *testing.T) *smtpServer {
	t.Helper()
	certificate := httptest.NewTLSServer(nil)
	defer certificate.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &smtpServer{t: t, listener: l, tls: certificate.TLS.Clone(), ca: pemOf(certificate)}
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { m.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		sessions.Wait()
	})
	return m
}

func (m *smtpServer) serverProperties(more map[string]any) map[string]any {
	host, port, _ := net.SplitHostPort(m.listener.Addr().String())
	n, _ := strconv.ParseInt(port, 10, 64)
	server := map[string]any{"host": host, "port": n}
	for k, v := range more {
		server[k] = v
	}
	return server
}

func (m *smtpServer) serve(c net.Conn) {
	defer c.Close()
	var d receivedMail
	m.mu.Lock()
	behavior := m.behavior
	m.mu.Unlock()
	if behavior.implicit {
		c, d.encrypted = tls.Server(c, m.tls), true
	}
	r := bufio.NewReader(c)
	reply := func(lines ...string) { _, _ = io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n") }
	reply("220 mail.example.com")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			switch {
			case d.encrypted:
				reply("250-mail.example.com", "250 AUTH PLAIN")
			case behavior.noTLS:
				reply("250 mail.example.com")
			default:
				reply("250-mail.example.com", "250 STARTTLS")
			}
		case "STARTTLS":
			reply("220 go ahead")
			c = tls.Server(c, m.tls)
			r, d = bufio.NewReader(c), receivedMail{encrypted: true}
		case "AUTH":
			credentials, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			if d.authenticated = string(credentials) == "\x00trigger@example.com\x00open sesame"; d.authenticated {
				reply("235 welcome")
			} else {
				reply("535 5.7.8 " + string(credentials[1:]) + " is not known")
			}
		case "MAIL":
			d.from = rest
			reply("250 ok")
		case "RCPT":
			if behavior.refuse != "" {
				reply(behavior.refuse)
				continue
			}
			d.to = append(d.to, rest)
			reply("250 ok")
		case "DATA":
			reply("354 go ahead")
			var b strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(line, "."))
			}
			d.message = b.String()
			m.mu.Lock()
			m.messages = append(m.messages, d)
			m.mu.Unlock()
			reply("250 taken")
		case "QUIT":
			if !behavior.hangUp {
				reply("221 bye")
			}
			return
		default:
			reply("502 " + verb + " is not known")
		}
	}
}

// takeMessage returns and removes the only received message.
func (m *smtpServer) takeMessage(t *testing.T) (d receivedMail, header mail.Header, body string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.messages) != 1 {
		t.Fatalf("%d messages", len(m.messages))
	}
	d = m.messages[0]
	m.messages = nil
	msg, err := mail.ReadMessage(strings.NewReader(d.message))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	if err != nil {
		t.Fatal(err)
	}
	return d, msg.Header, string(text)
}

// TestNotifyEmail sends messages with each encryption. Text cannot add headers.
func TestNotifyEmail(t *testing.T) {
	e := startWithLoopback(t)
	m := newSMTPServer(t)
	e.secret(t, "mail", map[string]any{"password": "open sesame", "ca.crt": m.ca})
	properties := func(server map[string]any) map[string]any {
		return map[string]any{
			"from": "trigger@example.com", "alias": "Trigger Ü", "to": []any{"a@example.com", "B <b@example.com>"},
			"subject": "{{.data.metadata.name}} über\r\nBcc: all@example.com", "message": "first\n.\nlast ü",
			"server": m.serverProperties(server),
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
			m.set(smtpBehavior{implicit: tc.implicit, noTLS: tc.noTLS})
			e.mustRun(t, "notify-email", properties(tc.server), e.event("settings"))
			d, header, body := m.takeMessage(t)
			if d.encrypted != tc.encrypted || d.authenticated != tc.auth || d.from != "FROM:<trigger@example.com>" || strings.Join(d.to, " ") != "TO:<a@example.com> TO:<b@example.com>" {
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
	m.set(smtpBehavior{})
	e.mustRun(t, "notify-email", map[string]any{"from": "trigger@example.com", "to": []any{"a@example.com"}, "server": m.serverProperties(map[string]any{"tls": "none"})}, e.event("settings"))
	if _, header, body := m.takeMessage(t); header.Get("Subject") != "ConfigMap "+e.namespace+"/settings was changed" || !strings.Contains(body, "Trigger "+e.namespace+"/live") {
		t.Errorf("by default %v %q", header, body)
	}
}

// TestNotifyEmail_HangUp does not send a message again that the server has taken.
func TestNotifyEmail_HangUp(t *testing.T) {
	e := startWithLoopback(t)
	m := newSMTPServer(t)
	m.set(smtpBehavior{hangUp: true})
	e.mustRun(t, "notify-email", map[string]any{
		"from": "trigger@example.com", "to": []any{"a@example.com"}, "server": m.serverProperties(map[string]any{"tls": "none"}),
	}, e.event("settings"))
	m.takeMessage(t)
}

// TestNotifyEmail_Errors distinguishes terminal errors. No error contains the password.
func TestNotifyEmail_Errors(t *testing.T) {
	e := startWithLoopback(t)
	m := newSMTPServer(t)
	e.secret(t, "mail", map[string]any{"password": "open sesame", "wrong": "guessed it", "ca.crt": m.ca})
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
			m.set(smtpBehavior{noTLS: tc.noTLS, refuse: tc.refuse})
			to := tc.to
			if to == "" {
				to = "a@example.com"
			}
			err := e.run(t, "notify-email", map[string]any{"from": "trigger@example.com", "to": []any{to}, "server": m.serverProperties(tc.server)}, e.event("x"))
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
	err := denied.run(t, "notify-email", map[string]any{"from": "trigger@example.com", "to": []any{"a@example.com"}, "server": m.serverProperties(nil)}, e.event("x"))
	if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "denied") {
		t.Errorf("got %v, want a terminal error", err)
	}
	if len(m.messages) > 0 {
		t.Errorf("sent %v", m.messages)
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
	m := &smtpServer{listener: listener}
	err = e.run(t, "notify-email", map[string]any{"from": "a@example.com", "to": []any{"b@example.com"}, "server": m.serverProperties(nil)}, e.event("x"))
	if err == nil || !action.IsTerminal(err) || !strings.Contains(err.Error(), "more than 1024 KiB") {
		t.Errorf("got %v", err)
	}
}
