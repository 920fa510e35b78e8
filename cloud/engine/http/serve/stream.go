package serve

import (
	"net/http"
	"time"
)

// Send writes the next part of an answer that lasts, and sees to it that it goes
// out at once; false: nobody has taken it within limit.
//
// The limit is for this part alone. It is taken back once the part is out, since
// HTTP/2 ends an answer at its deadline also while there is nothing to write.
func Send(w http.ResponseWriter, part []byte, limit time.Duration) bool {
	control := http.NewResponseController(w)
	if control.SetWriteDeadline(time.Now().Add(limit)) != nil {
		return false
	}
	_, err := w.Write(part)
	return err == nil && control.Flush() == nil && control.SetWriteDeadline(time.Time{}) == nil
}
