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

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"
)

// installCRDs applies the CRDs in the YAML files of a folder, and waits up to a minute
// until the API server serves them. A folder that does not exist has no CRDs.
func installCRDs(ctx context.Context, kubeconfig, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		return err
	}
	api, err := connect(kubeconfig)
	if err != nil {
		return err
	}
	defer api.http.CloseIdleConnections()
	var names []string
	for _, file := range files {
		name, err := api.apply(ctx, file)
		if err != nil {
			return fmt.Errorf("install %s: %w", file, err)
		}
		names = append(names, name)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("%s: not established after a minute", folder))
	defer cancel()
	for _, name := range names {
		if err := api.established(ctx, name); err != nil {
			return fmt.Errorf("install %s: %w", name, err)
		}
	}
	return nil
}

// api is a client of the API server of a kubeconfig that this program wrote.
type api struct {
	http          *http.Client
	server, token string
}

func connect(kubeconfig string) (*api, error) {
	text, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", kubeconfig, err)
	}
	if len(config.Clusters) != 1 || len(config.Users) != 1 {
		return nil, fmt.Errorf("%s: must have one cluster and one user", kubeconfig)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.Clusters[0].Cluster.CA)
	return &api{
		http: &http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		},
		server: config.Clusters[0].Cluster.Server,
		token:  config.Users[0].User.Token,
	}, nil
}

type crd struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status struct {
		Conditions []struct{ Type, Status string } `json:"conditions"`
	} `json:"status"`
}

// apply applies the CRD in a file, and returns its name.
func (a *api) apply(ctx context.Context, file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var object crd
	if err := yaml.Unmarshal(text, &object); err != nil {
		return "", err
	}
	name := object.Metadata.Name
	return name, a.call(ctx, http.MethodPatch, name+"?fieldManager=controlplane&force=true", text, &object)
}

// established waits until the CRD has the condition Established.
func (a *api) established(ctx context.Context, name string) error {
	for {
		var object crd
		if err := a.call(ctx, http.MethodGet, name, nil, &object); err != nil {
			return err
		}
		for _, c := range object.Status.Conditions {
			if c.Type == "Established" && c.Status == "True" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// call sends a request for the CRD name, and decodes the response to out.
func (a *api) call(ctx context.Context, method, name string, body []byte, out any) error {
	url := a.server + "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + name
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/apply-patch+yaml")
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s: %s", resp.Status, text)
	}
	return json.Unmarshal(text, out)
}
