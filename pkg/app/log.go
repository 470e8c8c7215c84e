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

package app

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubevela/kube-trigger/pkg/printable"
)

// NewLogger returns a logger that writes to w. The level is debug, info, warn or
// error; the format is text or json.
func NewLogger(w io.Writer, level, format string) (logr.Logger, error) {
	var minLevel slog.Level
	if err := minLevel.UnmarshalText([]byte(level)); err != nil {
		return logr.Logger{}, InvalidError{fmt.Errorf("--log-level %q: must be debug, info, warn or error", level)}
	}
	options := &slog.HandlerOptions{Level: minLevel}
	switch format {
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(w, options)), nil
	case "json":
		// The handler for text quotes what a terminal would interpret, and that for JSON
		// only a part of it.
		return logr.FromSlogHandler(slog.NewJSONHandler(printable.Writer(w), options)), nil
	}
	return logr.Logger{}, InvalidError{fmt.Errorf("--log-format %q: must be text or json", format)}
}

// SetLibraryLoggers sets the loggers of klog, which client-go logs to, and of
// controller-runtime. A process has one of each: call it once, before anything else
// of this package.
func SetLibraryLoggers(log logr.Logger) {
	klog.SetLogger(log.WithName("client"))
	crlog.SetLogger(log)
}
