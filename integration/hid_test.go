//go:build linux

package integration

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/examples/hidfix/uhid"
)

// newDevice makes a virtual HID device until the end of the test. It skips the
// test where that must not or can't be.
func newDevice(t *testing.T, spec uhid.Spec) *uhid.Device {
	t.Helper()
	needVM(t)
	d, err := uhid.Create(spec)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("needs CONFIG_UHID: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// attachFix attaches all ops of an object to a device until the end of the test.
func attachFix(t *testing.T, object string, d *uhid.Device) {
	t.Helper()
	obj := openObject(t, object)
	for name, ops := range obj.Ops {
		if err := ops.Set("hid_id", d.ID()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	links, err := mustLoad(t, obj).AttachAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, lnk := range links {
		t.Cleanup(func() {
			if err := lnk.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHIDAttach attaches every fix-up of the kernel to a device. Without hid_id
// that is EINVAL.
func TestHIDAttach(t *testing.T) {
	objects, err := filepath.Glob(filepath.Join(corpus(t, "objects/hid"), "*__*.bpf.o"))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		t.Run(strings.TrimSuffix(filepath.Base(object), ".bpf.o"), func(t *testing.T) {
			d := newDevice(t, uhid.Spec{
				Name: "ebpfx test", Bus: uhid.BusVirtual, Vendor: 0xeb, Product: 0xf,
				Descriptor: append(rdesc{0x05, 0x01, 0x09, 0x02, 0xa1, 0x01}.buttons(0x81, 0x02), 0xc0),
			})
			coll := mustLoad(t, openObject(t, object))
			if _, err := coll.AttachAll(); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "hid_id") {
				t.Errorf("without hid_id: got %v, want EINVAL and a word about hid_id", err)
			}
			attachFix(t, object, d)
		})
	}
}

// TestHIDFix shows each fix-up the device that it expects, and looks at the
// descriptor, or at a report, before and after.
func TestHIDFix(t *testing.T) {
	change := func(descriptor []byte, at ...byte) []byte {
		changed := bytes.Clone(descriptor)
		for i := 0; i < len(at); i += 2 {
			changed[at[i]] = at[i+1]
		}
		return changed
	}
	raptorIn := append([]byte{0x01}, make([]byte, 63)...)
	raptorIn[33] = 240
	for _, tc := range []struct {
		object          string
		bus             uint16
		vendor, product uint32
		before, after   []byte // descriptor
		in, out         []byte // report
	}{
		{"FR-TEC__Raptor-Mach-2", uhid.BusUSB, 0x11c0, 0x5606, raptorMach2, change(raptorMach2, 177, 7), raptorIn, change(raptorIn, 33, 8)},
		{"Thrustmaster__TCA-Yoke-Boeing", uhid.BusUSB, 0x044f, 0x0409, yokeBoeing, change(yokeBoeing, 91, 3, 104, 3), nil, nil},
		{"HP__Elite-Presenter", uhid.BusBluetooth, 0x03f0, 0x464a, hpPresenter(), change(hpPresenter(), 79, 1), nil, nil},
		{"IOGEAR__Kaliber-MMOmentum", uhid.BusUSB, 0x258a, 0x0027, kaliberMMOmentum(), change(kaliberMMOmentum(), 85, 2, 113, 2, 141, 2), nil, nil},
		{"Huion__Inspiroy-Frego-M", uhid.BusBluetooth, 0x256c, 0x8251, inspiroyFregoM(), change(inspiroyFregoM(), 17, 0x5a), nil, nil},
		{"XPPen__ArtistPro16Gen2", uhid.BusUSB, 0x28bd, 0x095b, artistPro16(), artistPro16Fixed,
			[]byte{7, 0x29, 0, 1, 0, 2, 0, 0, 0, 0}, []byte{7, 0x30, 0, 1, 0, 2, 0, 0, 0, 0}},
	} {
		t.Run(tc.object, func(t *testing.T) {
			d := newDevice(t, uhid.Spec{Name: "ebpfx test", Bus: tc.bus, Vendor: tc.vendor, Product: tc.product, Descriptor: tc.before})
			wantDescriptor(t, d, tc.before)
			t.Run("attached", func(t *testing.T) {
				attachFix(t, corpus(t, "objects/hid/"+tc.object+".bpf.o"), d)
				wantDescriptor(t, d, tc.after)
				if tc.in != nil {
					wantReport(t, d, tc.in, tc.out)
				}
			})
			wantDescriptor(t, d, tc.before)
		})
	}
}

// wantDescriptor waits for a descriptor: the kernel connects the device again
// when a fix-up comes or goes.
func wantDescriptor(t *testing.T, d *uhid.Device, want []byte) {
	t.Helper()
	var got []byte
	var err error
	for range 100 {
		if got, err = d.Descriptor(); err == nil && bytes.Equal(got, want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("report descriptor (-want +got):\n%s", cmp.Diff(want, got))
}

// wantReport sends a report and reads what arrives.
func wantReport(t *testing.T, d *uhid.Device, in, want []byte) {
	t.Helper()
	raw, err := d.Raw()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := d.Input(in); err != nil {
		t.Fatal(err)
	}
	if err := raw.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4096)
	n, err := raw.Read(got)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got[:n], want) {
		t.Errorf("report % x, want % x", got[:n], want)
	}
}
