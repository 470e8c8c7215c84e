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

package resource

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// newBackoff returns the delays between failing attempts: 100 ms, which doubles each
// time, up to 30 s, with a jitter of ±50%.
func newBackoff() wait.Backoff {
	// Step adds up to Jitter times the duration: half of the delay is the minimum.
	return wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 2, Steps: 10, Cap: 15 * time.Second}
}
