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

package cluster

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"k8s.io/client-go/kubernetes"
)

// WaitForWatches waits until the API server serves n watches of a resource, such as
// "podtemplates", in all namespaces.
func WaitForWatches(t testing.TB, client kubernetes.Interface, resource string, n int) {
	t.Helper()
	Eventually(t, fmt.Sprintf("%d watches of %s", n, resource), func(ctx context.Context) error {
		got, err := countWatches(ctx, client, resource)
		if err == nil && got != n {
			err = fmt.Errorf("got %d watches, want %d", got, n)
		}
		return err
	})
}

// WatchCount returns the number of watches of a resource that the API server serves.
func WatchCount(t testing.TB, client kubernetes.Interface, resource string) int {
	t.Helper()
	n, err := countWatches(t.Context(), client, resource)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func countWatches(ctx context.Context, client kubernetes.Interface, resource string) (int, error) {
	text, err := client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	pattern := regexp.MustCompile(`(?m)^apiserver_longrunning_requests\{[^}]*resource="` + resource + `"[^}]*verb="WATCH"[^}]*\} (\d+)$`)
	for _, match := range pattern.FindAllSubmatch(text, -1) {
		n, err := strconv.Atoi(string(match[1]))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
