//go:build linux

// Hidfix repairs a mouse with a HID-BPF fix-up. It creates the mouse through
// /dev/uhid, tells the fix-up which device it is for by setting hid_id before the
// object is loaded, attaches it, and shows the report descriptor and a report
// before and after.
//
// It needs root, and Linux 6.11 or later with CONFIG_HID_BPF, CONFIG_UHID and
// CONFIG_HIDRAW. The mouse exists for as long as the program runs.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ebpfx/ebpfx/examples/hidfix/uhid"
	"github.com/ebpfx/ebpfx/structops"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -tags linux -no-global-types fix fix.c -- -O2 -mcpu=v3 -Wall -Werror

// mouse is the report descriptor of a mouse that calls its wheel a constant.
var mouse = []byte{
	0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, // a mouse
	0x09, 0x01, 0xa1, 0x00,
	0x05, 0x09, 0x19, 0x01, 0x29, 0x03, 0x15, 0x00, 0x25, 0x01, 0x95, 0x03, 0x75, 0x01, 0x81, 0x02, // three buttons
	0x95, 0x05, 0x81, 0x03, // to the end of the byte
	0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x02, 0x81, 0x06, // X, Y
	0x09, 0x38, 0x95, 0x01, 0x81, 0x07, // the wheel
	0xc0, 0xc0,
}

// turned is a report of the wheel turned by one.
var turned = []byte{0, 0, 0, 1}

func main() {
	if err := fix(); err != nil {
		fmt.Fprintf(os.Stderr, "hidfix: %v\n", err)
		os.Exit(1)
	}
}

func fix() (err error) {
	device, err := uhid.Create(uhid.Spec{Name: "ebpfx hidfix", Bus: uhid.BusVirtual, Vendor: 0xeb, Product: 0xf, Descriptor: mouse})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, device.Close()) }()
	before, reportBefore, err := look(device)
	if err != nil {
		return err
	}

	obj, err := structops.Open(bytes.NewReader(_FixBytes))
	if err != nil {
		return err
	}
	if err := obj.Ops["wheel"].Set("hid_id", device.ID()); err != nil {
		return err
	}
	coll, err := obj.Load(nil)
	if err != nil {
		return err
	}
	defer coll.Close()
	lnk, err := coll.Attach("wheel")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lnk.Close()) }()

	after, reportAfter, err := look(device)
	if err != nil {
		return err
	}
	fmt.Printf("HID device %d, report descriptor before and after the fix-up:\n\n%s\n", device.ID(), compare(before, after))
	fmt.Printf("report of the wheel turned up: % x before, % x after\n", reportBefore, reportAfter)
	return nil
}

// look reads the descriptor and a report as programs get them.
func look(d *uhid.Device) (descriptor, report []byte, err error) {
	if descriptor, err = d.Descriptor(); err != nil {
		return nil, nil, err
	}
	raw, err := d.Raw()
	if err != nil {
		return nil, nil, err
	}
	defer raw.Close()
	if err := d.Input(turned); err != nil {
		return nil, nil, err
	}
	if err := raw.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, nil, err
	}
	report = make([]byte, len(turned))
	n, err := raw.Read(report)
	return descriptor, report[:n], err
}
