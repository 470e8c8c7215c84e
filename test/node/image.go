//go:build linux

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

package node

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// socket is the path of containerd's socket in the node's folder.
const socket = "host/run/containerd/containerd.sock"

// Import imports the image in archive, a file in the format of docker save.
func (n *Node) Import(t testing.TB, archive string) {
	t.Helper()
	n.ctr(t, "images", "import", archive)
}

func (n *Node) ctr(t testing.TB, args ...string) {
	t.Helper()
	args = append([]string{"--address", n.path(socket), "--namespace", "k8s.io"}, args...)
	if out, err := exec.CommandContext(t.Context(), "ctr", args...).CombinedOutput(); err != nil { //nolint:gosec // own program
		t.Fatalf("ctr %v: %v\n%s", args, err, out)
	}
}

// Image builds kube-trigger's image with `make image`, imports it as name, and returns the
// size of its archive in bytes. Its storage is temporary: the images of the machine do not
// change.
func (n *Node) Image(t testing.TB, name string) int64 {
	t.Helper()
	work := t.TempDir()
	storage := filepath.Join(work, "storage.conf")
	text := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", filepath.Join(work, "graph"), filepath.Join(work, "run"))
	if err := os.WriteFile(storage, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(work, "image.tar")
	for _, args := range [][]string{
		{"make", "-C", "../..", "image", "IMAGE=" + name},
		{"buildah", "push", name, "docker-archive:" + archive + ":" + name},
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...) //nolint:gosec // own program
		cmd.Env = append(os.Environ(), "CONTAINERS_STORAGE_CONF="+storage)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	n.Import(t, archive)
	info, err := os.Stat(archive)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// buildPauseImage builds PauseImage, and returns the path of its archive.
func (n *Node) buildPauseImage(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pause")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/kubevela/kube-trigger/test/node/pause") //nolint:gosec // own program
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	archive := program + ".tar"
	if err := writeImage(archive, PauseImage, content); err != nil {
		t.Fatal(err)
	}
	return archive
}

// writeImage writes an archive of an image that runs program, the content of an
// executable.
func writeImage(path, name string, program []byte) error {
	layer, err := tarArchive(file{"program", program})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(layer)
	config, configErr := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/program"}, "User": "65532:65532"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	manifest, manifestErr := json.Marshal([]any{map[string]any{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	archive, err := tarArchive(file{"config.json", config}, file{"layer.tar", layer}, file{"manifest.json", manifest})
	if err := errors.Join(configErr, manifestErr, err); err != nil {
		return err
	}
	return os.WriteFile(path, archive, 0o600)
}

type file struct {
	name    string
	content []byte
}

func tarArchive(files ...file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}
