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

package dataflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Graph says which triggers feed which: its edges lead from what sources watch to triggers, and
// from triggers to what their actions write. A write that may be an event of a trigger leads to it.
type Graph struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
	// Cycles are the triggers that feed each other in a circle, or themselves.
	Cycles []Cycle `json:"cycles,omitempty"`
	// Unknown says what of the triggers cannot be derived.
	Unknown []string `json:"unknown,omitempty"`
}

// NodeType is what a Node stands for.
type NodeType string

const (
	// SourceNode is what a source watches, or the type of a source without objects.
	SourceNode NodeType = "source"
	// TriggerNode is a trigger.
	TriggerNode NodeType = "trigger"
	// ObjectNode is what an action writes.
	ObjectNode NodeType = "object"
)

// Node is a trigger, or what triggers watch or write.
type Node struct {
	ID   string   `json:"id"`
	Type NodeType `json:"type"`
	// Text is what a reader sees.
	Text string `json:"text"`
}

// Edge leads from a node to another one.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Text says how: "create, patch", or "may be an event".
	Text string `json:"text,omitempty"`
	// Certain is set if a write of every run is an event of the trigger.
	Certain bool `json:"certain,omitempty"`
}

// Cycle is a circle of triggers.
type Cycle struct {
	// Triggers are in the order in which they feed each other; the last one feeds the first.
	Triggers []string `json:"triggers"`
	// Certain is set if each event leads around the circle, and changes objects each time.
	Certain bool `json:"certain"`
	// Allowed is set if a trigger of the circle has allowSelfTrigger.
	Allowed bool `json:"allowed,omitempty"`
}

// Text says what the circle is, and how to allow it.
func (c Cycle) Text() string {
	path := strings.Join(append(slices.Clone(c.Triggers), c.Triggers[0]), " → ")
	if c.Certain {
		return fmt.Sprintf("triggers feed each other in a circle: %s; add a filter or onChange that stops it, or allow it with allowSelfTrigger in one of them", path)
	}
	return fmt.Sprintf("triggers may feed each other in a circle: %s; if it ends, allow it with allowSelfTrigger in one of them", path)
}

// feed is how the writes of one trigger are events of another one.
type feed struct{ may, certain bool }

// New returns the graph of triggers.
func New(flows []Flow) Graph {
	var g Graph
	for _, f := range flows {
		trigger := "trigger " + f.Trigger.String()
		g.addNode(Node{trigger, TriggerNode, f.Trigger.String()})
		g.Unknown = append(g.Unknown, f.Unknown...)
		for _, w := range f.Watches {
			id := "source " + watchText(w)
			g.addNode(Node{id, SourceNode, watchText(w)})
			g.addEdge(Edge{From: id, To: trigger, Text: strings.Join(w.Types, ", ")})
		}
		if len(f.Watches) == 0 {
			id := "source " + f.SourceType + " " + f.Trigger.String()
			g.addNode(Node{id, SourceNode, f.SourceType})
			g.addEdge(Edge{From: id, To: trigger})
		}
		for _, u := range f.Uses {
			if verbs := writes(u); len(verbs) > 0 {
				id := "object " + objectText(u.Right)
				g.addNode(Node{id, ObjectNode, objectText(u.Right)})
				g.addEdge(Edge{From: trigger, To: id, Text: strings.Join(verbs, ", ")})
				g.addFeeds(flows, f, u, id)
			}
		}
	}
	g.Cycles = cycles(flows)
	return g
}

func (g *Graph) addNode(n Node) {
	if !slices.ContainsFunc(g.Nodes, func(o Node) bool { return o.ID == n.ID }) {
		g.Nodes = append(g.Nodes, n)
	}
}

func (g *Graph) addEdge(e Edge) {
	i := slices.IndexFunc(g.Edges, func(o Edge) bool { return o.From == e.From && o.To == e.To })
	if i < 0 {
		g.Edges = append(g.Edges, e)
		return
	}
	for verb := range strings.SplitSeq(e.Text, ", ") {
		if !slices.Contains(strings.Split(g.Edges[i].Text, ", "), verb) {
			g.Edges[i].Text = strings.TrimPrefix(g.Edges[i].Text+", "+verb, ", ")
		}
	}
	g.Edges[i].Certain = g.Edges[i].Certain || e.Certain
}

// addFeeds adds the edges from what u writes to the triggers whose events that may be.
func (g *Graph) addFeeds(flows []Flow, f Flow, u Use, id string) {
	for _, to := range flows {
		if how := feeds(f, u, to); how.may {
			g.addEdge(Edge{From: id, To: "trigger " + to.Trigger.String(), Text: "event", Certain: how.certain})
		}
	}
}

// writes returns the verbs of u that change something.
func writes(u Use) []string {
	return slices.DeleteFunc(slices.Clone(u.Verbs), func(v string) bool { return v == "get" || v == "list" || v == "watch" })
}

func watchText(w source.Watch) string {
	r := rights.Of(w.Kind)
	r.Namespace, r.Name = w.Namespace, w.Name
	text := objectText(r)
	if w.Labels != "" {
		text += " with " + w.Labels
	}
	return text
}

// objectText returns a text such as "Deployment prod/web", with * for what is not known.
func objectText(r rights.Right) string {
	text := r.Kind
	if r.Subresource != "" {
		text += "/" + r.Subresource
	}
	text += " "
	if !rights.IsClusterScoped(r.GroupVersionKind().GroupKind()) {
		text += cmp.Or(r.Namespace, "*") + "/"
	}
	text += cmp.Or(r.Name, "*")
	if r.Cluster == rights.AnyCluster {
		return text + " in the event's cluster"
	}
	if r.Cluster != "" {
		return text + " in cluster " + r.Cluster
	}
	return text
}

// feeds returns whether what a trigger does is an event of another one, or of itself.
func feeds(from Flow, u Use, to Flow) (out feed) {
	if from.Trigger == to.Trigger && !to.AllowsSelf {
		return feed{} // its own write, or a deletion, which is the last one of the object
	}
	for _, w := range to.Watches {
		how := watched(u, w)
		out.may = out.may || how.may
		out.certain = out.certain || how.certain && u.Always && u.Varies && !from.Conditional && !to.Conditional && !from.Suspended && !to.Suspended
	}
	return out
}

func isDeletion(verb string) bool { return verb == "delete" || verb == "deletecollection" }

// watched returns whether a write of u is an event of w.
func watched(u Use, w source.Watch) feed {
	kind := u.GroupVersionKind()
	sameKind := kind.GroupKind() == w.Kind.GroupKind() || kind.Kind == "Event" && w.Kind.Kind == "Event"
	if !sameKind || excludes(u.Namespace, w.Namespace) || excludes(u.Name, w.Name) || !sameCluster(u, w) {
		return feed{}
	}
	types := eventTypes(u)
	matching := 0
	for _, t := range types {
		if len(w.Types) == 0 || slices.Contains(w.Types, t) {
			matching++
		}
	}
	if matching == 0 {
		return feed{}
	}
	certain := matching == len(types) && u.Cluster == "" && (w.Namespace == "" || u.Namespace == w.Namespace) && (w.Name == "" || u.Name == w.Name)
	if w.Labels == "" {
		return feed{true, certain}
	}
	selector, err := labels.Parse(w.Labels)
	if err != nil || u.Labels == nil || len(types) != 1 || types[0] != event.Create {
		return feed{may: true} // the object may have other labels
	}
	matches := selector.Matches(labels.Set(u.Labels))
	return feed{matches, matches && certain}
}

// excludes reports whether two names, which are empty if they are not known, are those of
// different things.
func excludes(a, b string) bool { return a != "" && b != "" && a != b }

// sameCluster reports whether u may write in a cluster that w watches.
func sameCluster(u Use, w source.Watch) bool {
	switch u.Cluster {
	case "":
		return w.OwnCluster
	case rights.AnyCluster:
		return w.OtherClusters || len(w.Clusters) > 0 || w.OwnCluster
	}
	return w.OtherClusters || slices.Contains(w.Clusters, u.Cluster)
}

// eventTypes returns the types of events that u may lead to.
func eventTypes(u Use) []string {
	var out []string
	for _, v := range writes(u) {
		switch {
		case v == "create":
			out = append(out, event.Create)
		case isDeletion(v):
			out = append(out, event.Delete)
		default:
			out = append(out, event.Update)
		}
	}
	return out
}
