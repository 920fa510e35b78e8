package app_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
	"github.com/chromedp/chromedp"
)

// photograph is a QR code as a picture has it: turned, in a bad light, dark on
// light or light on dark.
func photograph(t testing.TB, text string, level qr.ErrorCorrectionLevel, angle, unit float64, negative bool) []byte {
	t.Helper()
	code, err := qr.Encode(text, level, qr.Unicode)
	if err != nil {
		t.Fatal(err)
	}
	modules := float64(code.Bounds().Dx())
	size := int(modules*unit*1.5) + 40
	picture := image.NewGray(image.Rect(0, 0, size, size))
	sin, cos := math.Sincos(angle * math.Pi / 180)
	for y := range size {
		for x := range size {
			u, v := float64(x-size/2)/unit, float64(y-size/2)/unit
			u, v = u*cos+v*sin+modules/2, v*cos-u*sin+modules/2
			light := 225.0
			if u >= 0 && v >= 0 && u < modules && v < modules && isDark(code, int(u), int(v)) {
				light = 40
			}
			if negative {
				light = 255 - light
			}
			picture.SetGray(x, y, color.Gray{Y: uint8(light * (0.55 + 0.45*float64(x)/float64(size)))})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func isDark(code barcode.Barcode, x, y int) bool {
	r, _, _, _ := code.At(x, y).RGBA()
	return r < 0x8000
}

// Codes of another program are read, of every level, many sizes, and as they
// are photographed.
func TestQRCodes(t *testing.T) {
	t.Parallel()
	b := open(t, build(t).url)
	if get[bool](b, `!!globalThis.BarcodeDetector`) {
		t.Log("this browser has a reader of its own, which comes first")
	}
	read := func(picture []byte) string {
		return get[string](b, `import("/authenticator/scan.js").then((m) => m.textOf(new Blob([Uint8Array.from(atob("`+base64.StdEncoding.EncodeToString(picture)+
			`"), (c) => c.charCodeAt(0))]))).catch((e) => "refused: " + e.key)`)
	}
	long := "otpauth://totp/Contoso:ada@contoso.example?secret=" + seed + "&issuer=Contoso&name=" + strings.Repeat("Zoë+1 ", 90)
	for i, level := range []qr.ErrorCorrectionLevel{qr.L, qr.M, qr.Q, qr.H} {
		for j, size := range []int{10, 60, 120, 230, 400} {
			text := strings.ToValidUTF8(long[:size], "")
			if got := read(photograph(t, text, level, float64((i*5+j)*37%360), 3.3+float64(j%3), (i+j)%4 == 3)); got != text {
				t.Errorf("%v, %d bytes: read %q", level, size, got)
			}
		}
	}
	for name, picture := range map[string][]byte{"no picture": []byte("none"), "a picture cut off": photograph(t, long[:60], qr.M, 0, 4, false)[:200]} {
		if got := read(picture); got != "refused: scan.picture" {
			t.Errorf("%s: %s", name, got)
		}
	}
	var blank bytes.Buffer
	if err := png.Encode(&blank, image.NewGray(image.Rect(0, 0, 300, 200))); err != nil {
		t.Fatal(err)
	}
	if got := read(blank.Bytes()); got != "refused: scan.none" {
		t.Errorf("a picture of nothing: %s", got)
	}
	// Noise, and codes with holes: nothing throws, and nothing is made up.
	made := get[[]string](b, `import("/authenticator/qrdata.js").then(async ({ textOf }) => {
		const { readCode } = await import("/authenticator/qr.js"), { sizeOf } = await import("/authenticator/qrtable.js"), found = [];
		let seed = 7;
		const random = () => (seed = seed * 48271 % 2147483647) / 2147483647;
		for (let i = 0; i < 40; i++) {
			const version = 1 + Math.floor(random() * 40), modules = Uint8Array.from({ length: sizeOf(version) ** 2 }, () => random() < 0.5 ? 1 : 0);
			const [width, height, share] = [20 + Math.floor(random() * 100), 20 + Math.floor(random() * 100), random()];
			const data = Uint8ClampedArray.from({ length: width * height * 4 }, () => random() < share ? 0 : random() * 256);
			found.push(textOf(modules, version), readCode({ data, width, height }));
		}
		return found.filter((text) => text !== null);
	})`)
	if len(made) > 0 {
		t.Errorf("read out of noise: %q", made)
	}
	b.quiet()
}

// A picture that somebody chooses adds its codes.
func TestPictureAddsCodes(t *testing.T) {
	t.Parallel()
	b := open(t, build(t).url)
	path := filepath.Join(t.TempDir(), "code.png")
	if err := os.WriteFile(path, photograph(t, "otpauth://totp/Contoso:ada?secret="+seed+"&digits=8&algorithm=SHA256", qr.M, 12, 4, false), 0o600); err != nil {
		t.Fatal(err)
	}
	b.visit("#import")
	b.do(chromedp.SetUploadFiles(chromedp.CSS(`input[type="file"]`), []string{path}))
	b.sees("Contoso")
	b.agrees("Contoso", "--totp=SHA256", "-d", "8", seed)
	b.quiet()
}

// Somebody signs in on a desktop, and their telephone reads the code that is
// shown there.
func TestCodeCarriesOver(t *testing.T) {
	t.Parallel()
	h := build(t)
	desktop, phone := open(t, h.url), open(t, h.url)
	desktop.visit("#user=" + ada)
	desktop.click("I have a pass from the helpdesk")
	desktop.fill("Pass", h.pass(t))
	desktop.click("Next")
	desktop.click("Use another device")
	desktop.look(1280, "dark") // the code stays dark on light
	picture, err := chromedp.Run(desktop.ctx, chromedp.Screenshot(chromedp.CSS("svg.qr")))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "code.png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	phone.visit("#activate")
	phone.do(chromedp.SetUploadFiles(chromedp.CSS(`input[type="file"]`), []string{path}))
	phone.want(`document.querySelector("main form input").value === ` + quote(ada))
	phone.click("Activate")
	phone.sees("This device is ready")
	desktop.quiet()
	phone.quiet()
}

// filmed is what the camera of the browser sees.
const filmed = "otpauth://totp/Filmed:ada?secret=" + seed + "&issuer=Filmed"

// film is a picture of a QR code as YUV4MPEG2, which Chromium takes for a
// camera: one frame, again and again.
func film(t testing.TB, text string) []byte {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(photograph(t, text, qr.M, 9, 5, false)))
	if err != nil {
		t.Fatal(err)
	}
	size := picture.Bounds().Dx() / 2 * 2
	b := fmt.Appendf(nil, "YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\nFRAME\n", size, size)
	for y := range size {
		for x := range size {
			b = append(b, color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y)
		}
	}
	return append(b, bytes.Repeat([]byte{128}, size*size/2)...)
}

func TestCameraAddsCodes(t *testing.T) {
	t.Parallel()
	b := open(t, build(t).url)
	b.visit("#import")
	b.click("Use the camera")
	b.want(`location.hash === "" && document.querySelectorAll(".card").length === 1`)
	b.agrees("Filmed", "--totp", seed)
	b.quiet()
}
