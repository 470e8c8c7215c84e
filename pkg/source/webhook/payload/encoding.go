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

package payload

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// maxWindow limits the memory that decompresses zstd, in bytes, as RFC 8878 recommends.
const maxWindow = 8 << 20

// decompress returns the body without its Content-Encoding: gzip, deflate (with or without
// the header of zlib) or zstd. The result has at most limit bytes.
func decompress(header http.Header, body []byte, limit int64) ([]byte, error) {
	encoding := strings.ToLower(strings.TrimSpace(header.Get("Content-Encoding")))
	var r io.Reader
	var err error
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		if r, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			defer d.Close()
			r = d
		}
	default:
		return nil, fmt.Errorf("%w: content encoding %q is not gzip, deflate or zstd", ErrUnsupported, encoding)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, encoding, err)
	}
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case int64(len(out)) > limit:
		return nil, fmt.Errorf("%w: more than %d bytes without %s", ErrTooLarge, limit, encoding)
	case err != nil:
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, encoding, err)
	}
	return out, nil
}

// toUTF8 returns the body in UTF-8 and without a byte order mark. The charset is that of the
// mark, else that of the content type, and UTF-8 by default.
func toUTF8(contentType string, body []byte, limit int64) ([]byte, error) {
	_, params, _ := mime.ParseMediaType(contentType) // the type is checked by mediaTypeOf
	name := strings.ToLower(params["charset"])
	body, marked := bytes.CutPrefix(body, []byte("\xEF\xBB\xBF"))
	if isUTF16(body) {
		name = "utf-16"
	} else if name == "" || name == "utf-8" || name == "utf8" || name == "us-ascii" || marked {
		if !utf8.Valid(body) {
			return nil, fmt.Errorf("%w: not UTF-8; the content type must name the charset", ErrMalformed)
		}
		return body, nil
	}
	charset, err := charsetOf(name)
	if err != nil {
		return nil, fmt.Errorf("%w: unknown charset %q", ErrUnsupported, name)
	}
	out, err := io.ReadAll(io.LimitReader(charset.NewDecoder().Reader(bytes.NewReader(body)), limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: charset %s: %w", ErrMalformed, name, err)
	case int64(len(out)) > limit:
		return nil, fmt.Errorf("%w: more than %d bytes in UTF-8", ErrTooLarge, limit)
	case bytes.ContainsRune(out, utf8.RuneError):
		return nil, fmt.Errorf("%w: not in charset %s", ErrMalformed, name)
	}
	return bytes.TrimPrefix(out, []byte("\xEF\xBB\xBF")), nil
}

// isUTF16 reports whether the body starts with a byte order mark of UTF-16.
func isUTF16(body []byte) bool {
	return bytes.HasPrefix(body, []byte("\xFF\xFE")) || bytes.HasPrefix(body, []byte("\xFE\xFF"))
}

// charsetOf returns the charset of this name. The mark, if there is one, has the byte order of
// UTF-16; else it is that of Windows.
func charsetOf(name string) (encoding.Encoding, error) {
	if name == "utf-16" {
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), nil
	}
	return htmlindex.Get(name)
}
