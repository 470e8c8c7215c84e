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

package event

// Application is the KubeVela Application that a TriggerService is part of. The zero value
// is none. It is only a name: it gives no right to the Application.
type Application struct {
	Name      string
	Namespace string
	// Component is the component whose trait or workload the TriggerService is.
	Component string
	// Cluster is the cluster of the TriggerService, as the Application's placement names it.
	Cluster string
}

// Trigger is what `context` tells of a trigger.
type Trigger struct {
	Name      string
	Namespace string
	// Service is the name of its TriggerService. `context` does not have it.
	Service string
	// Application is the one that the trigger's TriggerService is part of, if any.
	Application Application
}

// String returns that of the trigger's TriggerRef.
func (t Trigger) String() string { return TriggerRef{Name: t.Name, Namespace: t.Namespace}.String() }

// addTo adds the fields of a to `context`.
func (a Application) addTo(context map[string]any) {
	if a == (Application{}) {
		return
	}
	context["appName"], context["appNamespace"] = a.Name, a.Namespace
	context["component"], context["cluster"] = a.Component, a.Cluster
}

// applicationSchema is the part of Schema about the Application.
const applicationSchema = `appName?: string
	appNamespace?: string
	component?: string
	cluster?: string`
