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

package image

import (
	"fmt"
	"strings"
)

// ecrEvent is an event of Amazon ECR in EventBridge.
type ecrEvent struct {
	ID         string `json:"id"`
	DetailType string `json:"detail-type"`
	Account    string `json:"account"`
	Region     string `json:"region"`
	Detail     struct {
		Result     string   `json:"result"`
		Repository string   `json:"repository-name"`
		Digest     string   `json:"image-digest"`
		Action     string   `json:"action-type"`
		Tag        string   `json:"image-tag"`
		Tags       []string `json:"image-tags"`
	} `json:"detail"`
}

// ecr parses the events of Amazon ECR that EventBridge sends, also through Amazon SNS.
func ecr(body []byte) (Notification, error) {
	var sent struct {
		ecrEvent
		// Message is the event in the envelope of Amazon SNS, whose Type is Notification.
		Type    string `json:"Type"`
		Message string `json:"Message"`
	}
	if err := decodeJSON(body, &sent); err != nil {
		return Notification{}, err
	}
	e := sent.ecrEvent
	if e.DetailType == "" && sent.Type == "Notification" {
		if err := decodeJSON([]byte(sent.Message), &e); err != nil {
			return Notification{}, fmt.Errorf("in Message: %w", err)
		}
	}
	n := Notification{Type: e.DetailType, ID: e.ID}
	if action := actionOf(e.Detail.Action); e.DetailType == "ECR Image Action" && e.Detail.Result == "SUCCESS" && action != Other {
		n.Type, n.Action = string(action), action
	}
	tags := e.Detail.Tags
	if len(tags) == 0 {
		tags = []string{e.Detail.Tag}
	}
	for _, tag := range tags {
		n.Images = append(n.Images, Image{Registry: e.registry(), Repository: e.Detail.Repository, Tag: tag, Digest: e.Detail.Digest})
	}
	return n, nil
}

// registry returns the private registry of the account; "" if the event does not say it.
func (e ecrEvent) registry() string {
	if e.Account == "" || e.Region == "" {
		return ""
	}
	host := e.Account + ".dkr.ecr." + e.Region + ".amazonaws.com"
	if strings.HasPrefix(e.Region, "cn-") {
		host += ".cn"
	}
	return host
}
