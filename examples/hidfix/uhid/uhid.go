//go:build linux

// Package uhid creates virtual HID devices through /dev/uhid, for programs that
// want to see what a fix-up makes of a device that they don't have.
//
// Mirrors include/uapi/linux/uhid.h. Needs root and CONFIG_UHID.
package uhid

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bus numbers of HID devices.
const (
	BusUSB       = 0x03
	BusBluetooth = 0x05
	BusVirtual   = 0x06
)

// Spec is what a device says about itself.
type Spec struct {
	Name            string
	Bus             uint16
	Vendor, Product uint32
	// Descriptor is the report descriptor, at most 4096 bytes.
	Descriptor []byte
}

// Device is a virtual HID device. It exists until it is closed.
type Device struct {
	file *os.File
	path string // in sysfs
	id   uint32

	done chan struct{} // closed when no more events are read
	once sync.Once
}

// Event types of the kernel's enum uhid_event_type.
const (
	evDestroy        = 1
	evGetReport      = 9
	evGetReportReply = 10
	evCreate2        = 11
	evInput2         = 12
	evSetReport      = 13
	evSetReportReply = 14
)

// eventSize is that of struct uhid_event, in bytes.
const eventSize = 4380

// create2 is an event with struct uhid_create2_req.
type create2 struct {
	Type                              uint32
	Name                              [128]byte
	Phys, Uniq                        [64]byte
	Size, Bus                         uint16
	Vendor, Product, Version, Country uint32
	Data                              [4096]byte
}

// reportReply is an event with the head of struct uhid_get_report_reply_req, as
// long as there are no data. struct uhid_set_report_reply_req is the same up to Err.
type reportReply struct {
	Type, ID  uint32
	Err, Size uint16
}

// createTimeout bounds the time until the kernel has made the device.
const createTimeout = 10 * time.Second

// Create makes a device and waits until the kernel shows it. The caller closes
// it. Returns an error wrapping [os.ErrNotExist] if the kernel has no /dev/uhid.
func Create(spec Spec) (*Device, error) {
	if len(spec.Descriptor) == 0 || len(spec.Descriptor) > 4096 {
		return nil, fmt.Errorf("device %q: report descriptor of %d bytes, want 1 to 4096", spec.Name, len(spec.Descriptor))
	}
	file, err := os.OpenFile("/dev/uhid", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	d := &Device{file: file, done: make(chan struct{})}
	// The kernel knows a device by a number of its own; a unique string tells
	// which one is ours.
	uniq := fmt.Sprintf("ebpfx-%d-%d", os.Getpid(), time.Now().UnixNano())
	if err := d.create(spec, uniq); err != nil {
		file.Close()
		return nil, fmt.Errorf("device %q: %w", spec.Name, err)
	}
	go d.serve()
	if err := d.find(uniq); err != nil {
		return nil, errors.Join(fmt.Errorf("device %q: %w", spec.Name, err), d.Close())
	}
	return d, nil
}

func (d *Device) create(spec Spec, uniq string) error {
	req := create2{
		Type: evCreate2, Size: uint16(len(spec.Descriptor)), Bus: spec.Bus, Vendor: spec.Vendor, Product: spec.Product,
	}
	copy(req.Name[:len(req.Name)-1], spec.Name)
	copy(req.Uniq[:len(req.Uniq)-1], uniq)
	copy(req.Data[:], spec.Descriptor)
	return d.write(&req)
}

// write sends one event.
func (d *Device) write(event any) error {
	buf, err := binary.Append(nil, binary.NativeEndian, event)
	if err != nil {
		return err
	}
	_, err = d.file.Write(buf)
	return err
}

// serve answers what the kernel asks, until the device is closed: without an
// answer it would wait for seconds.
func (d *Device) serve() {
	defer close(d.done)
	event := make([]byte, eventSize)
	for {
		n, err := d.file.Read(event)
		if err != nil || n < 8 {
			return
		}
		reply := reportReply{ID: binary.NativeEndian.Uint32(event[4:]), Err: uint16(syscall.EIO)}
		switch binary.NativeEndian.Uint32(event) {
		case evGetReport:
			reply.Type = evGetReportReply
		case evSetReport:
			reply.Type = evSetReportReply
		default:
			continue
		}
		if err := d.write(&reply); err != nil {
			return
		}
	}
}

// find waits for the device in sysfs, where its name has the kernel's number.
func (d *Device) find(uniq string) error {
	deadline := time.Now().Add(createTimeout)
	for time.Now().Before(deadline) {
		paths, err := filepath.Glob("/sys/bus/hid/devices/*")
		if err != nil {
			return err
		}
		for _, path := range paths {
			uevent, err := os.ReadFile(filepath.Join(path, "uevent"))
			if err != nil || !strings.Contains(string(uevent), "HID_UNIQ="+uniq+"\n") {
				continue // it may be going away
			}
			_, number, _ := strings.Cut(filepath.Base(path), ".")
			id, err := strconv.ParseUint(number, 16, 32)
			if err != nil {
				return fmt.Errorf("%s: no number", path)
			}
			d.path, d.id = path, uint32(id)
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("not in sysfs after %v", createTimeout)
}

// ID is the kernel's number of the device, which is what member hid_id of
// struct hid_bpf_ops wants.
func (d *Device) ID() uint32 { return d.id }

// Descriptor reads the report descriptor that the kernel uses, with all fix-ups.
func (d *Device) Descriptor() ([]byte, error) {
	return os.ReadFile(filepath.Join(d.path, "report_descriptor"))
}

// Input sends a report from the device to the kernel.
func (d *Device) Input(report []byte) error {
	buf := binary.NativeEndian.AppendUint32(nil, evInput2)
	buf = binary.NativeEndian.AppendUint16(buf, uint16(len(report)))
	_, err := d.file.Write(append(buf, report...))
	return err
}

// Raw opens the device as programs see it: each read returns a report, with all
// fix-ups. The caller closes the file. A fix-up of the descriptor connects the
// device anew, so open it afterwards.
func (d *Device) Raw() (*os.File, error) {
	deadline := time.Now().Add(createTimeout)
	for {
		nodes, err := filepath.Glob(filepath.Join(d.path, "hidraw", "hidraw*"))
		if err != nil {
			return nil, err
		}
		if len(nodes) > 0 {
			return os.OpenFile(filepath.Join("/dev", filepath.Base(nodes[0])), os.O_RDWR|syscall.O_NONBLOCK, 0)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s: no hidraw device", d.path)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Close removes the device.
func (d *Device) Close() error {
	var err error
	d.once.Do(func() {
		err = errors.Join(d.write(uint32(evDestroy)), d.file.Close())
		<-d.done
	})
	return err
}
