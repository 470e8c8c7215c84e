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

// Package smtp is an SMTP server for tests, on a loopback address.
package smtp

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is an SMTP server (RFC 5321, 3207, 4954) for clients that send one message.
// It has one user, "trigger@example.com" with the password "open sesame".
type Server struct {
	t        *testing.T
	listener net.Listener
	// CA is the certificate of the server in PEM.
	CA  string
	tls *tls.Config

	mu       sync.Mutex
	behavior Behavior
	messages []Mail
}

// Behavior is how a Server answers: Implicit enables implicit TLS, NoTLS disables
// STARTTLS; Refuse is the reply to RCPT instead of 250. HangUp ends the connection instead of
// a reply to QUIT.
type Behavior struct {
	Implicit, NoTLS, HangUp bool
	Refuse                  string
}

// Set changes the behavior for later connections.
func (m *Server) Set(b Behavior) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.behavior = b
}

// Mail is a message that the server has taken.
type Mail struct {
	Encrypted, Authenticated bool
	// From and To are the parameters of MAIL and RCPT.
	From string
	To   []string
	// Message has the headers and the body.
	Message string
}

// New starts a server on a loopback address. It runs until the test ends.
func New(t *testing.T) *Server {
	t.Helper()
	certificate := httptest.NewTLSServer(nil)
	defer certificate.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns immediately
	if err != nil {
		t.Fatal(err)
	}
	m := &Server{t: t, listener: l, tls: certificate.TLS.Clone(), CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate().Raw}))}
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

// Port returns the port of the server.
func (m *Server) Port() int { return m.listener.Addr().(*net.TCPAddr).Port }

// Mails returns the messages that the server has taken.
func (m *Server) Mails() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

// Properties returns the host and the port, and more.
func (m *Server) Properties(more map[string]any) map[string]any {
	server := map[string]any{"host": "127.0.0.1", "port": int64(m.Port())}
	for k, v := range more {
		server[k] = v
	}
	return server
}

func (m *Server) serve(c net.Conn) {
	defer c.Close()
	var d Mail
	m.mu.Lock()
	behavior := m.behavior
	m.mu.Unlock()
	if behavior.Implicit {
		c, d.Encrypted = tls.Server(c, m.tls), true
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
			case d.Encrypted:
				reply("250-mail.example.com", "250 AUTH PLAIN")
			case behavior.NoTLS:
				reply("250 mail.example.com")
			default:
				reply("250-mail.example.com", "250 STARTTLS")
			}
		case "STARTTLS":
			reply("220 go ahead")
			c = tls.Server(c, m.tls)
			r, d = bufio.NewReader(c), Mail{Encrypted: true}
		case "AUTH":
			credentials, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			if d.Authenticated = string(credentials) == "\x00trigger@example.com\x00open sesame"; d.Authenticated {
				reply("235 welcome")
			} else {
				reply("535 5.7.8 " + string(credentials[1:]) + " is not known")
			}
		case "MAIL":
			d.From = rest
			reply("250 ok")
		case "RCPT":
			if behavior.Refuse != "" {
				reply(behavior.Refuse)
				continue
			}
			d.To = append(d.To, rest)
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
			d.Message = b.String()
			m.mu.Lock()
			m.messages = append(m.messages, d)
			m.mu.Unlock()
			reply("250 taken")
		case "QUIT":
			if !behavior.HangUp {
				reply("221 bye")
			}
			return
		default:
			reply("502 " + verb + " is not known")
		}
	}
}

// Take returns and removes the only received message.
func (m *Server) Take(t *testing.T) (d Mail, header mail.Header, body string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.messages) != 1 {
		t.Fatalf("%d messages", len(m.messages))
	}
	d = m.messages[0]
	m.messages = nil
	msg, err := mail.ReadMessage(strings.NewReader(d.Message))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	if err != nil {
		t.Fatal(err)
	}
	return d, msg.Header, string(text)
}
