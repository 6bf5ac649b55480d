//go:build linux

// Vm runs a test binary on another kernel, in a virtual machine of its own:
//
//	go build -o vm ./integration/vm
//	CGO_ENABLED=0 go test -exec "$PWD/vm -kernel DIR" ./structops
//
// DIR holds bzImage and, where they exist, config, *.ko and vmlinux.btf. The
// machine has no disk: see [initramfs] for the files that it sees, and init.sh
// for what is mounted. Needs qemu-system-x86_64 and a static busybox.
//
// The exit status is that of the test binary, or one of the two below.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Exit statuses that no test binary uses.
const (
	exitSetup = 125 // the machine was not started
	exitGuest = 124 // the kernel panicked, or gave no result in time
)

func main() {
	kernel := flag.String("kernel", "", "`directory` with bzImage, config, *.ko and vmlinux.btf")
	memory := flag.String("memory", "2G", "memory of the machine")
	timeout := flag.Duration("timeout", 15*time.Minute, "stop the machine after this time")
	flag.Parse()
	if *kernel == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: vm -kernel DIR [-memory 2G] [-timeout 15m] BINARY [ARGUMENT ...]")
		os.Exit(exitSetup)
	}

	// The machine must not outlive the runner. Signals end it in good order; if
	// the runner is killed, the kernel kills it when this thread is gone.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	ctx, cancel := context.WithTimeout(ctx, *timeout)

	status, err := run(ctx, *kernel, *memory, flag.Args())
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
	}
	os.Exit(status)
}

// run boots the kernel and runs the command in it. It returns the exit status
// of the command, or an error and one of the statuses above.
func run(ctx context.Context, kernel, memory string, command []string) (int, error) {
	dir, err := os.MkdirTemp("", "vm-")
	if err != nil {
		return exitSetup, err
	}
	defer os.RemoveAll(dir)

	bzImage := filepath.Join(kernel, "bzImage")
	if _, err := os.Stat(bzImage); err != nil {
		return exitSetup, err
	}
	image, err := initramfs(kernel, command)
	if err != nil {
		return exitSetup, err
	}
	initrd := filepath.Join(dir, "initramfs")
	if err := os.WriteFile(initrd, image, 0o600); err != nil {
		return exitSetup, err
	}

	// Each serial port is a channel of its own, so that no message of the kernel
	// ever lands in the middle of the output or of the result.
	console, result := filepath.Join(dir, "console"), filepath.Join(dir, "result")
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64",
		// With a thread per processor the emulator crashes kernels that patch
		// their own text.
		"-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", memory,
		"-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", bzImage, "-initrd", initrd,
		// On a busy host the timer is late, and the kernel would take it for broken.
		"-append", "console=ttyS0 quiet panic=-1 oops=panic no_timer_check",
		"-serial", "file:"+console, "-serial", "stdio", "-serial", "file:"+result)
	qemu.Stdout, qemu.Stderr = os.Stdout, os.Stderr
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = qemu.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return exitSetup, err
	}

	status, ok := readResult(result)
	switch {
	case ok:
		return status, nil
	case ctx.Err() != nil:
		err = fmt.Errorf("kernel %s: hung, no result: %w", kernel, ctx.Err())
	case err != nil:
		err = fmt.Errorf("kernel %s: emulator: %w", kernel, err)
	default:
		err = fmt.Errorf("kernel %s: panicked, or never came to run the test", kernel)
	}
	return exitGuest, fmt.Errorf("%w; last lines of its console:\n%s", err, tail(console, 40))
}

// readResult reads the line "exit STATUS" that init writes as its last act.
func readResult(path string) (status int, ok bool) {
	line, err := os.ReadFile(path)
	if err != nil || !bytes.HasSuffix(line, []byte("\n")) {
		return 0, false
	}
	_, err = fmt.Sscanf(string(line), "exit %d", &status)
	return status, err == nil
}

// tail returns the last n lines of a file.
func tail(path string, n int) []byte {
	text, _ := os.ReadFile(path)
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], []byte("\n"))
}
