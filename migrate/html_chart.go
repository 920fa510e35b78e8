package migrate

import (
	"fmt"
	"strconv"
	"strings"
)

// Sizes of charts, in their own units; a page scales them.
const (
	chartWidth  = 360
	barStep     = 38 // from one bar to the next
	textAt      = 14 // of the label, from the top of a bar's place
	barAt       = 20
	maxBars     = 12
	maxBarLabel = 36 // characters
	legendItem  = chartWidth / 3
)

// barChart is a list of horizontal bars, each with its label and value in
// text, so that no colour has to be told from another.
type barChart struct {
	Title  string
	Height int
	Label  string // the whole chart in words
	Bars   []bar
}

type bar struct {
	Name, Class, Value string
	TextY, BarY        int
	Width              string
	Parts              []barPart
}

// outlookChart shows all groups, those of nobody too.
func outlookChart(s Summary) barChart {
	c := barChart{Title: "What awaits the users", Height: len(Outlooks) * barStep}
	total := max(s.Total(), 1)
	for i, o := range Outlooks {
		c.add(i, outlookLabels[o], string(o), s.Outlook[o], total)
	}
	c.describe()
	return c
}

// outlookLabels are the groups as a chart names them.
var outlookLabels = map[Outlook]string{
	PasswordOnly: "pass with the password alone today",
	OutOfScope:   "disabled, left out",
	LockedOut:    "cannot log in unless somebody acts",
	MustAct:      "have to do something themselves",
	Works:        "go on working",
}

// newBarChart shows the most frequent keys of m, and the others as one.
func newBarChart[K ~string](title string, m map[K]int) barChart {
	c := barChart{Title: title}
	keys := ranked(m)
	most, others := 1, 0
	for i, k := range keys {
		if i == 0 {
			most = m[k]
		}
		if i >= maxBars-1 && len(keys) > maxBars {
			others += m[k]
		}
	}
	most = max(most, others)
	for i, k := range keys {
		if i == maxBars-1 && others > 0 {
			c.add(i, fmt.Sprintf("%d others", len(keys)-i), "", others, most)
			break
		}
		c.add(i, string(k), "", m[k], most)
	}
	c.Height = max(len(c.Bars), 1) * barStep
	c.describe()
	return c
}

func (c *barChart) add(i int, name, class string, value, most int) {
	c.Bars = append(c.Bars, bar{Name: shortened(name), Class: class, Value: strconv.Itoa(value),
		TextY: i*barStep + textAt, BarY: i*barStep + barAt, Width: scaled(value, most)})
}

func (c *barChart) describe() {
	var parts []string
	for _, b := range c.Bars {
		parts = append(parts, b.Name+" "+b.Value)
	}
	c.Label = c.Title + ": " + strings.Join(parts, ", ")
	if len(parts) == 0 {
		c.Label = c.Title + ": none"
	}
}

// scaled is a length out of the width of a chart. What is there can be seen.
func scaled(value, most int) string {
	length := float64(chartWidth) * float64(value) / float64(max(most, 1))
	if value > 0 {
		length = max(length, 2)
	}
	return strconv.FormatFloat(length, 'f', 1, 64)
}

func shortened(s string) string {
	r := []rune(Plain(s))
	if len(r) > maxBarLabel {
		return string(r[:maxBarLabel-1]) + "…"
	}
	return string(r)
}

// stackChart shows activations: a bar a platform, a part an age, and the same
// as a table.
type stackChart struct {
	Height int
	Label  string
	Bars   []bar
	Legend []legend
	Ages   []Age
	Rows   []countRow
}

type barPart struct {
	Age      int
	X, Width string
	Y        int
}

type legend struct {
	Name               Age
	Age                int
	X, Y, TextX, TextY int
}

type countRow struct {
	Name   Platform
	Counts []int
}

// newStackChart returns nil where there are no activations.
func newStackChart(activated map[Platform]map[Age]int) *stackChart {
	c := &stackChart{Ages: Ages[:], Label: "Activations by platform and age, as in the table below"}
	most := 0
	for _, ages := range activated {
		most = max(most, sumOf(ages))
	}
	for _, p := range Platforms {
		if total := sumOf(activated[p]); total > 0 {
			c.platform(p, activated[p], total, most)
		}
	}
	if most == 0 {
		return nil
	}
	top := len(c.Bars) * barStep
	for i, age := range Ages {
		x, y := i%3*legendItem, top+8+i/3*22
		c.Legend = append(c.Legend, legend{Name: age, Age: i, X: x, Y: y, TextX: x + 17, TextY: y + 10})
	}
	c.Height = top + 52
	return c
}

func (c *stackChart) platform(p Platform, ages map[Age]int, total, most int) {
	i := len(c.Bars)
	b := bar{Name: string(p), Value: strconv.Itoa(total), TextY: i*barStep + textAt, BarY: i*barStep + barAt}
	row := countRow{Name: p}
	before := 0
	for n, age := range Ages {
		row.Counts = append(row.Counts, ages[age])
		if ages[age] == 0 {
			continue
		}
		from := float64(chartWidth) * float64(before) / float64(most)
		b.Parts = append(b.Parts, barPart{Age: n, X: strconv.FormatFloat(from, 'f', 1, 64), Y: b.BarY, Width: scaled(ages[age], most)})
		before += ages[age]
	}
	c.Bars = append(c.Bars, b)
	c.Rows = append(c.Rows, row)
}

func sumOf[K comparable](m map[K]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}
