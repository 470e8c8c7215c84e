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

package image_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubevela/kube-trigger/pkg/source/webhook/image"
)

var update = flag.Bool("update", false, "rewrite testdata/notifications.txtar")

const golden = "testdata/notifications.txtar"

func archive(t testing.TB) *txtar.Archive {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	a := txtar.Parse(text)
	if len(a.Files) < 10 {
		t.Fatalf("%d notifications", len(a.Files))
	}
	return a
}

// registryHosts returns the hosts that are given for notifications that do not name theirs.
func registryHosts() map[string]string {
	return map[string]string{
		"acr/alibaba-enterprise": "acme-registry.cn-hongkong.cr.aliyuncs.com",
		"acr/alibaba vpc":        "registry-vpc.cn-beijing.aliyuncs.com",
		"nexus/created":          "nexus.example.com:8083",
	}
}

// eventTypes returns the types of CloudEvents whose data are notifications.
func eventTypes() map[string]string {
	return map[string]string{"harbor/cloudevent data": "harbor.artifact.pushed"}
}

// TestParse_Notifications compares each notification with the result below its ---.
func TestParse_Notifications(t *testing.T) {
	a := archive(t)
	for i, f := range a.Files {
		t.Run(f.Name, func(t *testing.T) {
			sent, want, ok := strings.Cut(string(f.Data), "---\n")
			if !ok {
				t.Fatal("no --- before the expected result")
			}
			registry, _, _ := strings.Cut(f.Name, "/")
			list, err := image.Parse(registry, registryHosts()[f.Name], eventTypes()[f.Name], []byte(sent))
			got := ""
			for _, n := range list {
				got += fmt.Sprintf("type %q, action %q, id %q\n", n.Type, n.Action, n.ID)
				for _, i := range n.Images {
					got += fmt.Sprintf("%+v\n", i)
				}
			}
			if err != nil {
				got = err.Error() + "\n"
			}
			a.Files[i].Data = []byte(sent + "---\n" + got)
			if diff := cmp.Diff(want, got); diff != "" && !*update {
				t.Error(diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(golden, txtar.Format(a), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func fuzz(f *testing.F, registry string) {
	for _, file := range archive(f).Files {
		sent, _, _ := strings.Cut(string(file.Data), "---\n")
		f.Add([]byte(sent))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := image.Parse(registry, "", "", body)
		if err != nil {
			if !errors.Is(err, image.ErrMalformed) || len(list) > 0 {
				t.Errorf("%v, %v", list, err)
			}
			return
		}
		for _, n := range list {
			for _, i := range n.Images {
				if text := i.Registry + "/" + i.Repository + ":" + i.Tag + "@" + i.Digest; i.Repository == "" || strings.ContainsAny(text, " \n\t$`'\"\\;&|") {
					t.Errorf("%q", text)
				}
			}
		}
	})
}

func FuzzHarbor(f *testing.F)           { fuzz(f, "harbor") }
func FuzzDockerHub(f *testing.F)        { fuzz(f, "dockerhub") }
func FuzzACR(f *testing.F)              { fuzz(f, "acr") }
func FuzzJFrog(f *testing.F)            { fuzz(f, "jfrog") }
func FuzzDistribution(f *testing.F)     { fuzz(f, "distribution") }
func FuzzECR(f *testing.F)              { fuzz(f, "ecr") }
func FuzzArtifactRegistry(f *testing.F) { fuzz(f, "gar") }
func FuzzGitHub(f *testing.F)           { fuzz(f, "github") }
func FuzzNexus(f *testing.F)            { fuzz(f, "nexus") }
func FuzzQuay(f *testing.F)             { fuzz(f, "quay") }
