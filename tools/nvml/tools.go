//go:build tools

// Package nvml pins the Go module whose nvml.h the lab's mock NVML is compiled against.
package nvml

import _ "github.com/NVIDIA/go-nvml/pkg/nvml"
