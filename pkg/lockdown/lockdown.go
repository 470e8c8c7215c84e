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

// Package lockdown restricts what TriggerServices may ask for, beyond what the API server
// lets their authors and accounts do.
//
// Check finds what a TriggerService says. What only shows at run time, such as a cluster
// that a template computes or an address that a name resolves to, is up to the worker with
// WorkerFlags.
package lockdown

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Rules are the restrictions of a platform team. The zero value restricts nothing but the use
// of the workers' own ServiceAccount.
type Rules struct {
	// DefaultAccount allows no ServiceAccount but v1alpha1.DefaultServiceAccount.
	DefaultAccount bool
	// NoClusters allows triggers to watch, and act in, the worker's own cluster only.
	NoClusters bool
	// NoPrivateEgress has workers not connect to private networks.
	NoPrivateEgress bool
	// ForbiddenAccounts are ServiceAccounts that TriggerServices must not run as: NAME for
	// every namespace, or NAMESPACE/NAME.
	ForbiddenAccounts []string
	// MaxTriggers is the maximum number of triggers of a TriggerService; 0 for no limit.
	MaxTriggers int
	// MaxTriggerServices is the maximum number of TriggerServices of a namespace, of which
	// the oldest are allowed; 0 for no limit.
	MaxTriggerServices int
}

// Validate returns an error with all rules that can have no meaning.
func (r Rules) Validate() error {
	var errs []error
	for _, a := range r.ForbiddenAccounts {
		if parts := strings.Split(a, "/"); len(parts) > 2 || slices.Contains(parts, "") {
			errs = append(errs, fmt.Errorf("forbidden account %q: must be NAME or NAMESPACE/NAME", a))
		}
	}
	for _, limit := range []struct {
		name string
		n    int
	}{{"triggers", r.MaxTriggers}, {"TriggerServices", r.MaxTriggerServices}} {
		if limit.n < 0 {
			errs = append(errs, fmt.Errorf("maximum number of %s %d: must be 1 or more, or 0 for no limit", limit.name, limit.n))
		}
	}
	return errors.Join(errs...)
}

// WorkerFlags returns the flags with which a worker keeps the rules. As the last flags,
// they replace earlier ones.
func (r Rules) WorkerFlags() []string {
	var flags []string
	if r.NoClusters {
		flags = append(flags, "--cluster-access=none")
	}
	if r.NoPrivateEgress {
		flags = append(flags, "--deny-private")
	}
	return flags
}

// Check returns what the rules forbid of ts. older is the number of TriggerServices of its
// namespace that are older, as Older counts them.
func (r Rules) Check(ts *v1alpha1.TriggerService, older int) diag.List {
	var list diag.List
	if r.MaxTriggerServices > 0 && older >= r.MaxTriggerServices {
		list.Add("metadata.namespace", "namespace %q has %d older TriggerServices, and at most %d are allowed; delete one that is not needed", ts.Namespace, older, r.MaxTriggerServices)
	}
	if problem := r.CheckAccount(ts); problem != "" {
		list.Add("spec.serviceAccountName", "%s", problem)
	}
	if n := len(ts.Spec.Triggers); r.MaxTriggers > 0 && n > r.MaxTriggers {
		list.Add("spec.triggers", "%d triggers, but at most %d are allowed in a TriggerService", n, r.MaxTriggers)
	}
	if r.NoClusters {
		list = append(list, clusters(ts)...)
	}
	return list
}

// CheckAccount returns the reason why triggers must not act as the ServiceAccount of ts, or
// "". They never act as that of workers, which may forge checkpoints and dead letters.
func (r Rules) CheckAccount(ts *v1alpha1.TriggerService) string {
	account := trigger.Account(ts)
	switch {
	case account == trigger.WorkerAccount:
		return fmt.Sprintf("ServiceAccount %q is reserved for workers; use another one", account)
	case r.DefaultAccount && account != v1alpha1.DefaultServiceAccount:
		return fmt.Sprintf("ServiceAccount %q is not allowed; only the default, %q, is", account, v1alpha1.DefaultServiceAccount)
	case slices.Contains(r.ForbiddenAccounts, account), slices.Contains(r.ForbiddenAccounts, ts.Namespace+"/"+account):
		return fmt.Sprintf("ServiceAccount %q is forbidden in namespace %q; use another one", account, ts.Namespace)
	}
	return ""
}

// Older returns how many of all, the TriggerServices of the namespace of ts, are older than
// ts: created before, or at the same time with a name that sorts before. If ts has not been
// created yet, all others are older.
func Older(all []v1alpha1.TriggerService, ts *v1alpha1.TriggerService) int {
	n := 0
	for i := range all {
		o := &all[i]
		if o.Name == ts.Name {
			continue
		}
		age := o.CreationTimestamp.Time.Compare(ts.CreationTimestamp.Time)
		if ts.CreationTimestamp.IsZero() || cmp.Or(age, strings.Compare(o.Name, ts.Name)) < 0 {
			n++
		}
	}
	return n
}
