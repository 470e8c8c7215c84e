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

package engine

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubevela/kube-trigger/pkg/event"
)

const (
	// FollowTime is the maximum time between the end of a trigger's action and an event
	// that follows it.
	FollowTime = 10 * time.Second
	// PauseInitial is the shortest wait before the first probe of a paused trigger, and
	// up to Jitter longer. It doubles with each probe that an event follows.
	PauseInitial = 2 * time.Second
	// PauseMax is the longest wait between two probes.
	PauseMax = 10 * time.Minute
	// TrustTime is how long a trigger that was paused wrongly is paused later, from the
	// last event that followed.
	TrustTime = time.Hour
	// TrustFactor is the factor by which LoopLimit is higher after each wrong pause, and
	// the time that a pause tests longer, up to FollowTime.
	TrustFactor = 4

	// maxTrust and maxDoubts limit the number of pauses that count.
	maxTrust, maxDoubts = 7, 8
	// minWindow is the shortest time in which an event is expected to follow an action,
	// and minAloneWindow that of events that come one at a time.
	minWindow      = time.Second
	minAloneWindow = 200 * time.Millisecond
	// minIndependent is the number of events that prove that they come without actions, at
	// minShare of the rate with actions.
	minIndependent = 3
	minShare       = 0.75
)

// circle recognizes loops of which no proof is known: each turn makes a new object, or
// leads through controllers and servers that are not ours. Its suspicion is tested by
// stopping: events that come although no action runs are independent, and those that
// come after each of a few single actions are not.
//
// An event follows an action if it arrives while the action runs, or within FollowTime
// after it, and may be an effect of it. The trigger is paused when more than LoopLimit
// events have followed its actions without an interval of FollowTime; events that may be
// an effect by way of another server count only if they come one at a time, in a row.
// While the trigger is paused, its events wait, and a probe is acted on after each wait:
// first the event that led to the pause, then the one that followed the last probe. The
// pause is over as soon as events come without an action at minShare of the earlier
// rate, or none follows a probe. If it was wrong, the next one needs TrustFactor times as
// many events; those at a rate that is known to be independent no longer count. If the
// earlier rate was that of a burst, events come without an action at minShare of the rate
// after a probe. Then the pause is over, too, but a circle among many independent events
// looks the same: the next pause comes as early as this one, and is twice as long.
//
// It is safe for concurrent use. The zero value has seen no event.
type circle struct {
	mu  sync.Mutex
	run run
	// learned is what earlier pauses have shown, as of the last event that followed, at
	// countedAt.
	learned   experience
	countedAt time.Time
	// pause is nil while the trigger is not paused.
	pause *circlePause
}

// experience is what the pauses of a trigger have shown.
type experience struct {
	// trust counts the wrong pauses, and doubts, in a row, those that ended only by the
	// rate after a probe.
	trust, doubts int
	// turns and alone are rates per second of run.turns and run.alone of which it is known
	// that they are independent, whatever time an event takes to follow.
	turns, alone float64
}

// link is what is known of an event's relation to the trigger's earlier actions.
type link struct {
	// turns is that of LoopDetector.Turns, may and direct those of MayCause.
	turns       int
	may, direct bool
}

// run is a sequence of actions without an interval of FollowTime.
type run struct {
	// start is the start of the first action; zero if there was none.
	start time.Time
	// running counts the actions in progress.
	running int
	// lastStart and lastEnd are the last start and the last end of an action.
	lastStart, lastEnd time.Time
	// turns counts the events that followed an action, and alone those of them, and of
	// indirect ones, that came one at a time, in a row; less those at rates that are known
	// to be independent.
	turns, alone float64
	// meter counts all these events.
	meter meter
	// deepest is the highest number of turns that is known of an event, and deeper counts
	// the events that had more than each before.
	deepest, deeper int
}

// circlePause is the state of a pause.
type circlePause struct {
	since time.Time
	// turns is the number of events that followed, and rate their latest number per second.
	// alone is set if they are those that came one at a time.
	turns int
	rate  float64
	alone bool
	// window is the time in which an event follows an action and gets here, if it does.
	window time.Duration
	// due is when the next probe starts, and backoff the wait before it.
	due     time.Time
	backoff time.Duration
	// held counts the events that wait. suspect is the next probe.
	held    int
	suspect *Task
	// confirmed counts the probes that events have followed.
	confirmed int
	// independent counts the events that came without an action, since quiet.
	independent int
	quiet       time.Time
	// probe is the event that is acted on, from probeStart to probeEnd; nil if there is
	// none. It stays until it is known whether events follow. followed counts them.
	probe                *Task
	probeStart, probeEnd time.Time
	followed             int
	// void counts the last probes in a row that changed nothing, which no event can follow.
	void int
}

// pauseChange says whether a call has paused or resumed the trigger.
type pauseChange int

const (
	unchanged pauseChange = iota
	pauseStarted
	pauseEnded
)

// admit reports whether the trigger may act on t now: wait is 0. Otherwise the event
// waits for that time, and admit is called again.
func (c *circle) admit(t *Task, now time.Time, l link) (wait time.Duration, change pauseChange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.pause
	defer func() { change = changeOf(before, c.pause) }()
	received := t.Event().Time
	c.conclude(t.runner.slots, now)
	if c.pause == nil && c.count(received, now, l) {
		c.start(t, now)
	}
	if p := c.pause; p != nil && t.heldBy != p {
		t.heldBy = p
		p.held++
		c.arrive(t, received, now)
	}
	if p := c.pause; p != nil {
		if p.suspect == nil && p.probe == nil {
			p.suspect = t
		}
		if p.probe != nil || p.suspect != t || now.Before(p.due) {
			return p.wait(now), unchanged
		}
		p.probe, p.probeStart, p.probeEnd, p.followed = t, now, time.Time{}, 0
		p.suspect = nil
		p.held--
	}
	t.circle, t.heldBy = c, nil
	c.run.running++
	c.run.lastStart = now
	if c.run.start.IsZero() {
		c.run.start = now
	}
	return 0, unchanged
}

// observe tells of an event that was merged into t, which waits.
func (c *circle) observe(t *Task, received, now time.Time) pauseChange {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.pause
	c.conclude(t.runner.slots, now)
	if c.pause != nil {
		c.arrive(t, received, now)
	}
	return changeOf(before, c.pause)
}

// mergeAfterProbes is the number of probes in a pause that events have to follow before the
// updates of an object that wait are merged: one may be followed by a burst of independent events.
const mergeAfterProbes = 2

// merges reports whether events of one object are merged while they wait. Before mergeAfterProbes,
// the events may still prove to be independent of each other.
func (c *circle) merges() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pause != nil && c.pause.confirmed >= mergeAfterProbes
}

// finish tells that the action on t, which was admitted, has ended. changed is false if
// it is known to have changed nothing, or failed.
func (c *circle) finish(t *Task, changed bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run.running--
	c.run.lastEnd = now
	if c.pause != nil && c.pause.probe == t {
		c.pause.probeEnd = now
		if c.pause.void++; changed {
			c.pause.void = 0
		}
	}
}

// restart forgets the run, because its loop was ended otherwise.
func (c *circle) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run = run{running: c.run.running}
}

// state returns the pause of the trigger t, and whether there is one.
func (c *circle) state(t event.TriggerRef, now time.Time) (Pause, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pause
	if p == nil || p.followed == 0 && p.judged(now) {
		return Pause{}, false
	}
	return Pause{Trigger: t, Since: p.since, Turns: p.turns, Waiting: p.held, NextProbe: p.next()}, true
}

// count adds an event to the run, and reports whether the run is longer than it may be.
func (c *circle) count(received, now time.Time, l link) bool {
	r := &c.run
	if r.start.IsZero() || r.running == 0 && received.After(r.lastEnd.Add(FollowTime)) {
		*r = run{running: r.running}
		return false
	}
	switch {
	case !received.After(r.start), l.turns == 0 && !l.may:
		return false
	case l.turns > r.deepest: // LoopLimit ends this chain, if its turns have one event each
		r.deepest = l.turns
		r.deeper++
		return r.length() > c.limit(now)
	}
	latency := time.Duration(0)
	if !r.lastEnd.IsZero() {
		latency = max(received.Sub(r.lastEnd), 0)
	}
	since := r.meter.add(now, latency).Seconds()
	r.turns, r.alone = max(r.turns-c.learned.turns*since, 0), max(r.alone-c.learned.alone*since, 0)
	if r.alone++; !received.After(r.lastStart) {
		r.alone = 0
	}
	if l.turns > 0 || l.direct {
		r.turns++
	}
	return r.length() > c.limit(now)
}

// limit returns the length of a run that does not lead to a pause, as of an event that
// followed.
func (c *circle) limit(now time.Time) float64 {
	if now.Sub(c.countedAt) > TrustTime {
		c.learned = experience{}
	}
	c.countedAt = now
	return float64(LoopLimit * trustFactor(c.learned.trust))
}

// trustFactor returns TrustFactor to the power of trust.
func trustFactor(trust int) int {
	factor := 1
	for range trust {
		factor *= TrustFactor
	}
	return factor
}

// length is the number of events that count: those that followed, and with them the
// turns of a chain that has several events in each.
func (r *run) length() float64 {
	if r.turns == 0 {
		return r.alone
	}
	return max(r.turns+float64(r.deeper), r.alone)
}

// start pauses the trigger because of t. Events that come one at a time follow as fast
// as those before. Of others the time is not known, so that the pause after a wrong one
// tests TrustFactor times of it, up to FollowTime. The first probe comes after the time in
// which independent events would have ended the pause.
func (c *circle) start(t *Task, now time.Time) {
	r := &c.run
	p := &circlePause{since: now, suspect: t, turns: int(r.length()), alone: r.alone > r.turns+float64(r.deeper)}
	if p.alone {
		p.window = max(minAloneWindow, 3*r.meter.latency())
	} else {
		p.window = max(minWindow, 3*r.meter.latency()) * time.Duration(trustFactor(c.learned.trust))
	}
	p.window = min(p.window, FollowTime) + t.policy().Debounce
	p.rate = r.meter.recent(now)
	p.backoff = max(PauseInitial, p.window+time.Duration(2*minIndependent/p.rate*float64(time.Second)))
	p.backoff = min(p.backoff<<c.learned.doubts, PauseMax)
	p.due = now.Add(wait.Jitter(p.backoff, Jitter))
	c.pause = p
}

// arrive tells of a new event, which is t or merged into it, while the trigger is paused.
// It ends the pause if events come without actions.
func (c *circle) arrive(t *Task, received, now time.Time) {
	p := c.pause
	if p.probe != nil {
		if received.After(p.probeStart) {
			p.followed++
			if p.suspect == nil {
				p.suspect = t
			}
		}
		return
	}
	quiet := c.run.lastEnd.Add(p.window)
	if c.run.running > 0 || !received.After(quiet) {
		return
	}
	if p.quiet != quiet {
		p.quiet, p.independent = quiet, 0
	}
	p.independent++
	if p.isIndependent(p.rate, now) {
		c.resume()
	}
}

// isIndependent reports whether events came without an action until end, at minShare of
// rate.
func (p *circlePause) isIndependent(rate float64, end time.Time) bool {
	return provesIndependence(p.independent, rate*end.Sub(p.quiet).Seconds())
}

// provesIndependence reports whether the number of events that came without an action
// proves that they come without actions, where expected came with actions in that time.
func provesIndependence(came int, expected float64) bool {
	return came >= minIndependent && float64(came) >= minShare*expected
}

// conclude ends the pause if no event has followed the probe, or no more than without
// it, and prolongs it otherwise. If the probe changed nothing, and nothing followed, the
// next event is a probe, too, a few times.
func (c *circle) conclude(s *slots, now time.Time) {
	p := c.pause
	if p == nil || !p.judged(now) {
		return
	}
	rate := float64(p.followed) / p.judgedAt().Sub(p.probeStart).Seconds()
	switch {
	case p.followed == 0 && p.void > 0 && p.void < minIndependent && p.held > 0:
		p.probe = nil
	case p.followed == 0:
		c.resume()
	case p.isIndependent(rate, p.probeStart):
		learned := c.learned
		if !s.halfFull() { // a full queue would tell nothing about the next probe
			learned.doubts = min(learned.doubts+1, maxDoubts)
		}
		c.resume()
		c.learned = learned
	default:
		p.backoff = min(2*p.backoff, PauseMax)
		p.due, p.probe = now.Add(wait.Jitter(p.backoff, Jitter)-p.window), nil
		p.confirmed++
		c.learned = experience{doubts: c.learned.doubts}
	}
}

// resume ends the pause, and learns from it if it was wrong.
func (c *circle) resume() {
	p, rate := c.pause, c.run.meter.average()/minShare
	c.pause, c.run = nil, run{running: c.run.running}
	if p.confirmed > 0 {
		c.learned = experience{}
		return
	}
	if p.alone {
		c.learned.alone = rate
	} else if p.window >= FollowTime {
		c.learned.turns = rate
	}
	c.learned.trust, c.learned.doubts = min(c.learned.trust+1, maxTrust), 0
}

// judged reports whether it is known what follows the probe.
func (p *circlePause) judged(now time.Time) bool {
	return p.probe != nil && !now.Before(p.judgedAt())
}

// judgedAt returns when it is known what follows the probe.
func (p *circlePause) judgedAt() time.Time {
	end := p.probeEnd
	if end.IsZero() { // the action hangs
		end = p.probeStart.Add(PauseMax)
	}
	return end.Add(p.window)
}

// wait returns the time until an event that waits asks again, longer than 0.
func (p *circlePause) wait(now time.Time) time.Duration {
	if p.probe != nil && p.probeEnd.IsZero() {
		return p.window
	}
	return max(p.next().Sub(now), minAloneWindow/4)
}

// next returns the time of the next probe, or the earliest one that is possible while it
// is not known what follows the last.
func (p *circlePause) next() time.Time {
	if p.probe != nil {
		return p.judgedAt()
	}
	return p.due
}

func changeOf(before, now *circlePause) pauseChange {
	switch {
	case before == now:
		return unchanged
	case now == nil:
		return pauseEnded
	}
	return pauseStarted
}
