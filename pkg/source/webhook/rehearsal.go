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

package webhook

import (
	"net/http"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// RehearseRequest implements source.RequestRehearser. A handshake is no event.
func (s subscription) RehearseRequest(r *http.Request, body []byte, now time.Time) ([]event.Event, error) {
	sent, err := s.decode(r, body)
	if err != nil {
		return nil, err
	}
	return s.events(r, body, sent, now)
}

// RequestPath implements source.RequestRehearser.
func (s subscription) RequestPath() string { return s.path }
