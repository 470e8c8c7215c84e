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

package file

import "github.com/kubevela/kube-trigger/pkg/store/internal/codec"

// BucketName is the name of the bucket, for tests that write records with bbolt.
const BucketName = bucketName

// MACSize is the size of what follows the value of a record.
const MACSize = macSize

// AppendChecksum appends the checksum of a record of format 1 or 2.
func AppendChecksum(b []byte, key ...byte) []byte { return codec.AppendChecksum(b, key...) }

// Seal appends the MAC of a record.
func Seal(secret, key, value []byte) []byte { return recordKey(secret).seal(key, value) }
