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
	"context"

	wfconfig "github.com/kubevela/workflow/pkg/config"
)

// configFactory is the workflow's, which creates the Secret of a new config without the other
// objects of its template: it applies these only to a config that exists.
type configFactory struct{ wfconfig.Factory }

// templatedConfig is a config that was rendered from a template.
type templatedConfig struct{ config any }

func (f configFactory) ParseConfig(ctx context.Context, template wfconfig.NamespacedName, meta wfconfig.Metadata) (any, error) {
	config, err := f.Factory.ParseConfig(ctx, template, meta)
	if err != nil || template.Name == "" {
		return config, err
	}
	return templatedConfig{config}, nil
}

func (f configFactory) CreateOrUpdateConfig(ctx context.Context, config any, namespace string) error {
	templated, ok := config.(templatedConfig)
	if !ok {
		return f.Factory.CreateOrUpdateConfig(ctx, config, namespace)
	}
	if err := f.Factory.CreateOrUpdateConfig(ctx, templated.config, namespace); err != nil {
		return err
	}
	return f.Factory.CreateOrUpdateConfig(ctx, templated.config, namespace)
}
