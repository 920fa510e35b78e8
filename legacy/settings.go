package legacy

type Settings struct{}
