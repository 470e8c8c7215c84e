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
	"bytes"
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action/egress"
)

//go:embed email.cue
var emailSource string

// implicitTLSPort is the port of SMTP over implicit TLS (RFC 8314).
const implicitTLSPort = 465

// sendEmail sends one email.
func sendEmail(ctx context.Context, e *executor, _ client.Client, call Call) (Result, error) {
	timeout, err := duration("timeout", str(call.Params, "timeout"), egress.DefaultTimeout)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return call.returns(map[string]any{}), deliver(ctx, e.options, call)
}

func deliver(ctx context.Context, o Options, call Call) error {
	params := call.Params
	secrets := newSecretReader(ctx, o)
	from, _ := params["from"].(map[string]any)
	m, err := newMessage(params)
	if err != nil {
		return err
	}
	m.subject, m.body = call.Scope.outgoing(m.subject), call.Scope.outgoing(m.body)
	m.id = messageID(call)
	user, password := str(from, "username"), str(from, "password")
	if user == "" {
		user = m.from.Address
	}
	if ref, ok := from["passwordFrom"]; ok {
		if password, err = secrets.lookup(ctx, "from.passwordFrom", ref); err != nil {
			return err
		}
	} else {
		secrets.values.Add(password)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if name := str(from, "tlsSecret"); name != "" {
		if config, err = secrets.tlsConfig(ctx, "from.tlsSecret", name); err != nil {
			return err
		}
	}
	config.ServerName = str(from, "host")
	port, _ := from["port"].(int64)
	if o.Egress.IsOffline() {
		return nil
	}
	c := smtpSender{host: config.ServerName, port: port, security: str(from, "tls"), tls: config, user: user, password: password}
	return c.send(ctx, o.Egress.Policy(), m, o.Clock.Now())
}

// smtpSender sends messages to one SMTP server. It does not use wneessen/go-mail, which
// makes implicit TLS only with its own dialer, whose errors do not wrap those of the
// connection (limits, deadlines), and which reports a failed RSET after the delivery.
type smtpSender struct {
	host           string
	port           int64
	security       string
	tls            *tls.Config
	user, password string
}

func (c smtpSender) send(ctx context.Context, guard egress.AddressPolicy, m *message, now time.Time) error {
	address := net.JoinHostPort(c.host, strconv.FormatInt(c.port, 10))
	conn, err := guard.Dial(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, classify(err))
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.sendOver(&limitedConn{Conn: conn, remaining: egress.MaxBody}, m, now); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		var reply *textproto.Error
		if errors.As(err, &reply) && isFinalReply(reply.Code) {
			return &FailedError{Message: fmt.Sprintf("send through %s: %s", address, excerpt(ctx, err.Error()))}
		}
		return fmt.Errorf("send through %s: %w", address, err)
	}
	return nil
}

// isFinalReply reports whether a reply of an SMTP server is final. It calls 5xx permanent,
// but credentials (530, 534, 535, 538 of RFC 4954) are replaced, and a full mailbox (552) is
// emptied.
func isFinalReply(code int) bool {
	switch code {
	case 530, 534, 535, 538, 552:
		return false
	}
	return code >= 500
}

// limitedConn fails reads after remaining bytes.
type limitedConn struct {
	net.Conn
	remaining int
}

func (b *limitedConn) Read(p []byte) (int, error) {
	if b.remaining <= 0 {
		return 0, &FailedError{Message: fmt.Sprintf("the server sent more than %d KiB", egress.MaxBody>>10)}
	}
	n, err := b.Conn.Read(p[:min(len(p), b.remaining)])
	b.remaining -= n
	return n, err
}

func (c smtpSender) sendOver(conn net.Conn, m *message, now time.Time) error {
	implicit := c.security == "implicit" || c.security == "" && c.port == implicitTLSPort
	if implicit {
		conn = tls.Client(conn, c.tls)
	}
	s, err := smtp.NewClient(conn, c.host)
	if err != nil {
		return err
	}
	encrypted := implicit
	if supported, _ := s.Extension("STARTTLS"); !implicit && c.security != "none" && (supported || c.security == "starttls") {
		if !supported {
			return &FailedError{Message: "the server does not offer STARTTLS"}
		}
		if err := s.StartTLS(c.tls); err != nil {
			return err
		}
		encrypted = true
	}
	if c.password != "" {
		if !encrypted {
			return &FailedError{Message: "cannot send a password over an unencrypted connection"}
		}
		if err := s.Auth(smtp.PlainAuth("", c.user, c.password, c.host)); err != nil {
			return err
		}
	}
	if err := s.Mail(m.from.Address); err != nil {
		return err
	}
	for _, to := range m.to {
		if err := s.Rcpt(to.Address); err != nil {
			return err
		}
	}
	w, err := s.Data()
	if err != nil {
		return err
	}
	if err := m.write(w, now); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = s.Quit() // the message is delivered: a retry would send it again
	return nil
}

// message is an email.
type message struct {
	// id is the part of the Message-ID before the @.
	id                  string
	from                mail.Address
	to                  []*mail.Address
	subject, body, kind string
}

func newMessage(params map[string]any) (*message, error) {
	from, _ := params["from"].(map[string]any)
	content, _ := params["content"].(map[string]any)
	sender, err := mail.ParseAddress(str(from, "address"))
	if err != nil {
		return nil, &ParamError{Path: "from.address", Message: fmt.Sprintf("invalid email address %q", str(from, "address"))}
	}
	if alias := str(from, "alias"); alias != "" {
		sender.Name = alias
	}
	m := &message{from: *sender, subject: str(content, "subject"), body: str(content, "body"), kind: str(content, "type")}
	if m.kind == "" {
		m.kind = "text/html"
	}
	to, _ := params["to"].([]any)
	for i, v := range to {
		address, err := mail.ParseAddress(fmt.Sprint(v))
		if err != nil {
			return nil, &ParamError{Path: fmt.Sprintf("to[%d]", i), Message: fmt.Sprintf("invalid email address %q", v)}
		}
		m.to = append(m.to, address)
	}
	if len(m.to) == 0 {
		return nil, &ParamError{Path: "to", Message: "is required"}
	}
	return m, nil
}

// messageID returns an ID that differs per event and recipients, and is the same when the
// event is repeated, so that mail servers can drop the second copy.
func messageID(call Call) string {
	if call.Scope == nil || call.Scope.id == "" {
		return uuid.NewString()
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s %s %v", call.Scope.id, call.Path, call.Params["to"])).String()
}

// write writes m in the format of RFC 5322. Its fields cannot add headers or end the
// message.
func (m *message) write(w interface{ Write([]byte) (int, error) }, now time.Time) error {
	to := make([]string, len(m.to))
	for i, a := range m.to {
		to[i] = a.String()
	}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", m.from.String()},
		{"To", strings.Join(to, ",\r\n ")},
		{"Subject", mime.QEncoding.Encode("utf-8", m.subject)},
		{"Date", now.Format(time.RFC1123Z)},
		{"Message-ID", "<" + m.id + "@" + domain + ">"},
		{"MIME-Version", "1.0"},
		{"Content-Type", m.kind + "; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
		{"Auto-Submitted", "auto-generated"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	text := quotedprintable.NewWriter(&b)
	if _, err := text.Write([]byte(m.body)); err != nil {
		return err
	}
	if err := text.Close(); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
