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
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-logr/logr"
	velatypes "github.com/oam-dev/kubevela-core-api/apis/types"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/pkg/lockdown"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// CheckServiceCommand is the hidden subcommand that has to call CheckService.
// RunController starts its own executable with it.
const CheckServiceCommand = "check"

// leaseName is the name of the Lease by which a leader is elected.
const leaseName = "kube-trigger-controller"

// keySecretName is the name of the Secret with the controller's signing key.
const keySecretName = "kube-trigger-signing-key"

// maxChecks is the number of TriggerServices that are checked concurrently, each
// in a child process.
const maxChecks = 2

// quickCheck is the time after which the check of a TriggerService continues in the
// background, where it does not keep others waiting.
const quickCheck = time.Second

// ControllerOptions configure RunController.
type ControllerOptions struct {
	ClusterOptions

	// Namespace has the Lease of the controller, and Definitions for all
	// namespaces. Defaults to the namespace of the pod or the kubeconfig.
	Namespace string
	// DefaultWorkerTemplate is the worker template of TriggerServices that ask for none.
	DefaultWorkerTemplate string
	// GrantBumps gives TriggerServices the right to bump the Application that they are part
	// of, where KubeVela has placed them in another namespace, and the right to watch what
	// their component refers to.
	GrantBumps bool
	// BumpClusters are joined clusters whose ConfigMaps and Secrets bump the Applications that
	// have placed components with the trait bump-on-change there. It requires GrantBumps.
	BumpClusters []string
	// WorkerImage is the image of workers whose template has none.
	WorkerImage string
	// LeaderElect has the controller wait until no other one runs.
	LeaderElect bool
	// MetricsAddr is the address of /metrics. "0" for none.
	MetricsAddr string
	// MetricsAuth has /metrics answer only callers whose token the API server accepts, and
	// who may get the path.
	MetricsAuth bool
	// HealthAddr is the address of /healthz and /readyz. "0" for none.
	HealthAddr string
	// Lockdown restricts TriggerServices.
	Lockdown lockdown.Rules
	// Webhook configures the validating webhook.
	Webhook WebhookOptions
}

// DefaultControllerOptions returns the defaults of `kube-trigger controller`.
func DefaultControllerOptions() ControllerOptions {
	return ControllerOptions{DefaultWorkerTemplate: controller.NamespaceTemplate}
}

// RunController runs the controller of TriggerServices until ctx ends.
func RunController(ctx context.Context, o ControllerOptions) error {
	log := logr.FromContextOrDiscard(ctx)
	if err := o.Lockdown.Validate(); err != nil {
		return InvalidError{fmt.Errorf("lockdown: %w", err)}
	}
	if err := o.validateBumpClusters(); err != nil {
		return InvalidError{err}
	}
	cfg, namespace, err := o.restConfig()
	if err != nil {
		return err
	}
	if o.Namespace == "" {
		o.Namespace = namespace
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find executable: %w", err)
	}
	m, err := o.newManager(ctx, cfg)
	if err != nil {
		return err
	}
	setup := controller.Options{
		SystemNamespaces:      systemNamespaces(o.Namespace),
		DefaultWorkerTemplate: o.DefaultWorkerTemplate,
		GrantBumps:            o.GrantBumps,
		BumpClusters:          o.BumpClusters,
		Image:                 o.WorkerImage,
		Version:               o.Version,
		Lockdown:              o.Lockdown,
		KeySecret:             types.NamespacedName{Namespace: o.Namespace, Name: keySecretName},
		MaxChecks:             maxChecks,
		Checker:               sandbox.NewChild(maxChecks, sandbox.Limits{Step: time.Minute, Total: quickCheck}, program, CheckServiceCommand),
		ThoroughChecker:       sandbox.NewChild(1, sandbox.Limits{}, program, CheckServiceCommand),
	}
	if setup.Steps, err = controller.NewSteps(m, nil); err != nil {
		return err
	}
	if err := controller.Setup(ctx, m, setup); err != nil {
		return fmt.Errorf("start controller: %w", err)
	}
	// The webhook has a checker of its own: its callers do not wait for the checks
	// of a controller that has just started.
	setup.Checker = sandbox.NewChild(maxChecks, sandbox.Limits{}, program, CheckServiceCommand)
	if setup.Kinds, err = kindsOf(m); err != nil {
		return err
	}
	if err := o.Webhook.addTo(m, o.Namespace, controller.NewValidator(m, setup)); err != nil {
		return fmt.Errorf("start webhook: %w", err)
	}
	log.Info("starting", "version", o.Version, "namespace", o.Namespace, "workerImage", o.WorkerImage)
	return m.Start(ctx)
}

// kindsTime limits the time in which the types of the objects in the cluster are read.
const kindsTime = 3 * time.Second

// kindsOf returns the function that reads the types of the objects that a TriggerService watches from the
// API server of m. What cannot be read in time is left out.
func kindsOf(m ctrl.Manager) (func(context.Context, *v1alpha1.TriggerService) []kubeschema.Kind, error) {
	schemas, err := kubeschema.NewCluster(m.GetConfig(), m.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	var none clients
	sources := none.sources()
	return func(ctx context.Context, ts *v1alpha1.TriggerService) []kubeschema.Kind {
		ctx, cancel := context.WithTimeout(ctx, kindsTime)
		defer cancel()
		kinds, err := schemas.Kinds(ctx, trigger.Kinds(sources, ts))
		if err != nil {
			logr.FromContextOrDiscard(ctx).Info("schemas are not read", "reason", err.Error())
		}
		return kinds
	}, nil
}

// validateBumpClusters returns an error that names what is wrong with BumpClusters.
func (o ControllerOptions) validateBumpClusters() error {
	for _, name := range o.BumpClusters {
		if reason := multicluster.CheckName(name); reason != "" {
			return fmt.Errorf("--bump-clusters: cluster %q: %s", name, reason)
		}
		if name == multicluster.Local {
			return fmt.Errorf("--bump-clusters: %q is the hub, where Applications are bumped without it", name)
		}
	}
	switch {
	case len(o.BumpClusters) == 0:
	case !o.GrantBumps:
		return errors.New("--bump-clusters requires --grant-bumps")
	case o.Lockdown.NoClusters:
		return errors.New("--bump-clusters and --lockdown-no-clusters exclude each other")
	}
	return nil
}

// newManager returns a manager that serves metrics and probes. Its context has the
// logger.
func (o ControllerOptions) newManager(ctx context.Context, cfg *rest.Config) (ctrl.Manager, error) {
	log := logr.FromContextOrDiscard(ctx)
	scheme := runtime.NewScheme()
	if err := controller.AddToScheme(scheme); err != nil {
		return nil, err
	}
	m, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        scheme,
		Logger:                        log,
		BaseContext:                   func() context.Context { return logr.NewContext(context.Background(), log) },
		Cache:                         controller.Cache(),
		Metrics:                       metricsserver.Options{BindAddress: "0"}, // served by addServer
		HealthProbeBindAddress:        "0",
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", leaseName, err)
	}
	probed := &probedManager{Manager: m, health: healthz.Handler{Checks: map[string]healthz.Checker{"ping": healthz.Ping}}}
	metrics, err := o.metricsHandler(cfg, m.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	return probed, errors.Join(
		addServer(ctx, m, "--metrics-addr", o.MetricsAddr, metrics),
		addServer(ctx, m, "--health-addr", o.HealthAddr, probed.probes()),
	)
}

// systemNamespaces returns the namespaces of Definitions for all namespaces: that
// of the controller and KubeVela's.
func systemNamespaces(own string) []string {
	if own == velatypes.DefaultKubeVelaNS {
		return []string{velatypes.DefaultKubeVelaNS}
	}
	return []string{own, velatypes.DefaultKubeVelaNS}
}

// CheckService checks the TriggerService that a controller writes to in, and
// reports to out.
func CheckService(ctx context.Context, in io.Reader, out io.Writer) error {
	builtIn, err := trigger.BuiltIn(actions.FS)
	if err != nil {
		return err
	}
	c := clients{}
	return sandbox.Local{Sources: c.sources(), BuiltIn: builtIn}.Serve(ctx, in, out)
}
