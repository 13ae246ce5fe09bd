//go:build tools

// Package tools pins Pulumi's language host for Node.js, so that it is built from the Go modules that go.sum names.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"
