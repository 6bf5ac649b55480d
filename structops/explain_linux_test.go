package structops

import (
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/btfx"
)

// Without privilege the error says so, in this or that form. Upstream finds out
// only once for a process what the kernel supports, so the test has a process
// of its own.
func TestLoadUnprivileged(t *testing.T) {
	const child = "EBPFX_TEST_UNPRIVILEGED"
	needKernel(t)
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLoadUnprivileged$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}

	// Other threads keep their capabilities; this one is not used again.
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capset(&header, &make([]unix.CapUserData, 2)[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := btf.NewHandleFromRawBTF(nil); err == nil || strings.Contains(err.Error(), syscall.EPERM.Error()) {
		t.Errorf("upstream says %v: explainBTF need not ask the kernel again", err)
	}
	_, err := openGolden(t, "one").Load(nil)
	wantError(t, err, fs.ErrPermission, "object BTF: CAP_BPF is needed: run as root: operation not permitted")
}

// The kernel's words about BTF are explained.
func TestExplainBTF(t *testing.T) {
	needKernel(t)
	number := &btf.Int{Name: "int", Size: 4}
	fn := func(name string, linkage btf.FuncLinkage) btf.Type {
		return &btf.Func{Name: "f", Linkage: linkage, Type: &btf.FuncProto{Return: number, Params: []btf.FuncParam{{Name: name, Type: number}}}}
	}
	for _, tc := range []struct {
		typ  btf.Type
		want string
	}{
		{&btf.Struct{Name: "Option<fn>", Size: 8}, "rename it"},
		{fn("", btf.GlobalFunc), "name it"},
		{fn("a", btf.ExternFunc), "extern function"},
		{&btf.Var{Name: "v", Type: number, Linkage: btf.ExternVar}, "extern variable"},
		{&btf.Datasec{Name: ".data"}, "no size"},
	} {
		builder, err := btf.NewBuilder([]btf.Type{tc.typ}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = btfx.LoadBTF(builder)
		if err == nil {
			t.Errorf("%v: the kernel takes it", tc.typ)
			continue
		}
		wantError(t, explainBTF(err), syscall.EINVAL, "object BTF: ", tc.want)
	}
}
