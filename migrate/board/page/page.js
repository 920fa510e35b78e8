"use strict";
(function () {
  var $ = function (id) { return document.getElementById(id); };
  var meta = JSON.parse($("meta").textContent);
  var names = [], upns = [], outlooks = [], actions = [], waves = [], letters = [], hay = [];
  var blocks = [], perBlock = 0; // where details are; read when a user is opened
  var shown = [];                // numbers of the users in the table, in its order
  var last = null;               // the search that shown is the answer to
  var running = 0, current = 0, examined = 0;
  var severities = ["error", "warning", "info"];
  var rank = meta.codes.map(function (c) { return Math.max(severities.indexOf(c[1]), 0); });

  function el(tag, className, text) {
    var e = document.createElement(tag);
    if (className) { e.className = className; }
    if (text !== undefined) { e.textContent = text; }
    return e;
  }
  function number(n) { return String(n).replace(/\B(?=(\d{3})+$)/g, ","); }

  // A letter for private use stands for a mail domain.
  function whole(s) {
    return s.replace(/[\ue000-\ue03f]/g, function (c) { return meta.domains[c.charCodeAt(0) - 0xe000]; });
  }

  // Users come in blocks: an index, read now, and details, read when wanted.
  document.querySelectorAll("script.index").forEach(function (s) {
    var b = JSON.parse(s.textContent);
    perBlock = perBlock || b.n.length;
    blocks.push({ source: s.nextElementSibling, rows: null });
    for (var i = 0; i < b.n.length; i++) {
      names.push(whole(b.n[i]));
      upns.push(whole(b.u[i]));
      outlooks.push(b.k.charCodeAt(2 * i) - 48);
      actions.push(b.k.charCodeAt(2 * i + 1) - 48);
      waves.push(b.w ? b.w[i] : 0);
      letters.push(b.f[i]);
      hay.push((names[names.length - 1] + "\n" + upns[upns.length - 1]).toLowerCase());
    }
    s.textContent = "";
  });

  function details(user) {
    var b = blocks[Math.floor(user / perBlock)];
    if (!b.rows) {
      var d = JSON.parse(b.source.textContent);
      b.rows = d.r;
      b.texts = [""].concat(d.s || []);
    }
    return { row: b.rows[user % perBlock], text: function (n) { return whole(b.texts[n]); } };
  }

  // --- what is wanted

  var form = $("filter"), search = $("words-wanted"), order = $("order");
  var selects = { outlook: $("by-outlook"), action: $("by-action"), wave: $("by-wave"), code: $("by-code") };

  function wanted() {
    var w = { words: search.value.toLowerCase().split(/\s+/).filter(Boolean), order: order.value };
    Object.keys(selects).forEach(function (k) { w[k] = selects[k] ? selects[k].value : ""; });
    return w;
  }

  // narrows tells whether everything that fits w fits the search before it.
  function narrows(w) {
    return last && last.order === w.order &&
      Object.keys(selects).every(function (k) { return last[k] === "" || last[k] === w[k]; }) &&
      last.words.every(function (word) { return w.words.some(function (longer) { return longer.indexOf(word) >= 0; }); });
  }

  function fits(i, w) {
    if (w.outlook !== "" && outlooks[i] !== Number(w.outlook)) { return false; }
    if (w.action !== "" && actions[i] !== Number(w.action)) { return false; }
    if (w.wave !== "" && waves[i] !== Number(w.wave)) { return false; }
    if (w.code !== "" && letters[i].indexOf(String.fromCharCode(meta.first + Number(w.code))) < 0) { return false; }
    for (var n = 0; n < w.words.length; n++) {
      if (hay[i].indexOf(w.words[n]) < 0) { return false; }
    }
    return true;
  }

  // find looks at users in slices, so that typing is never held up; a newer
  // search ends an older one.
  function find() {
    var w = wanted(), mine = ++running, among = narrows(w) ? shown : null, total = among ? among.length : names.length;
    var found = [], at = 0;
    $("table").setAttribute("aria-busy", "true");
    (function slice() {
      if (mine !== running) { return; }
      for (var end = Math.min(at + 25000, total); at < end; at++) {
        var i = among ? among[at] : at;
        if (fits(i, w)) { found.push(i); }
      }
      if (at < total) { setTimeout(slice, 0); return; }
      if (!among) { sort(found, w.order); }
      shown = found;
      last = w;
      examined = total;
      current = 0;
      $("window").scrollTop = 0;
      say();
      draw();
    })();
  }

  function sort(list, by) {
    if (by === "name") {
      list.sort(function (a, b) { return hay[a] < hay[b] ? -1 : hay[a] > hay[b] ? 1 : a - b; });
    } else if (by === "outlook") {
      list.sort(function (a, b) { return outlooks[a] - outlooks[b] || a - b; });
    } else if (by === "findings") {
      var weight = list.reduce(function (m, i) { var c = counts(i); m[i] = c[0] * 1e6 + c[1] * 1e3 + c[2]; return m; }, []);
      list.sort(function (a, b) { return weight[b] - weight[a] || a - b; });
    }
  }

  function counts(i) {
    var c = [0, 0, 0];
    for (var n = 0; n < letters[i].length; n++) { c[rank[letters[i].charCodeAt(n) - meta.first]]++; }
    return c;
  }

  function say() {
    $("shown").textContent = shown.length === names.length ? "All " + number(names.length) + " users listed" :
      number(shown.length) + " of " + number(names.length) + " users";
    var t = $("table");
    t.removeAttribute("aria-busy");
    t.setAttribute("aria-rowcount", shown.length + 1);
    t.dataset.examined = examined;
    t.dataset.found = shown.length;
  }

  // --- the table: only the rows that can be seen are there

  var view = $("window"), body = $("rows"), high = 52, heads = Array.from($("table").querySelectorAll("th"));

  function columns() { return heads.filter(function (th) { return th.offsetWidth > 0; }).length; }

  function spacer(rows) {
    var tr = el("tr", "space"), td = el("td");
    tr.setAttribute("aria-hidden", "true");
    td.colSpan = columns();
    td.style.height = rows * high + "px";
    tr.appendChild(td);
    return tr;
  }

  function draw() {
    var room = Math.ceil(view.clientHeight / high) + 1;
    var from = Math.max(Math.floor(view.scrollTop / high) - 10, 0), to = Math.min(from + room + 20, shown.length);
    var rows = document.createDocumentFragment();
    if (from > 0) { rows.appendChild(spacer(from)); }
    for (var at = from; at < to; at++) { rows.appendChild(row(at)); }
    if (to < shown.length) { rows.appendChild(spacer(shown.length - to)); }
    if (shown.length === 0) {
      var tr = el("tr"), td = el("td", "none", "Nobody fits. Clear the search to see everybody.");
      td.colSpan = columns();
      tr.appendChild(td);
      rows.appendChild(tr);
    }
    body.replaceChildren(rows);
  }

  function row(at) {
    var i = shown[at], tr = el("tr", at === current ? "current" : "");
    tr.setAttribute("aria-rowindex", at + 2);
    tr.dataset.at = at;
    var td = el("td", "c-user"), a = el("a", "", names[i] || "(no name)");
    a.href = link(i);
    a.tabIndex = -1;
    td.appendChild(a);
    if (upns[i]) { td.appendChild(el("span", "soft", upns[i])); }
    tr.appendChild(td);
    td = el("td", "c-outlook");
    td.appendChild(el("span", "swatch " + meta.outlooks[outlooks[i]][0]));
    td.appendChild(document.createTextNode(meta.outlooks[outlooks[i]][1]));
    tr.appendChild(td);
    tr.appendChild(el("td", "c-action", meta.actions[actions[i]]));
    if (selects.wave) { tr.appendChild(el("td", "c-wave", meta.waves[waves[i]])); }
    td = el("td", "c-findings");
    counts(i).forEach(function (n, s) {
      if (n > 0) { td.appendChild(el("span", "tally " + severities[s], n + " " + (s === 2 ? "info" : severities[s] + (n > 1 ? "s" : "")))); }
    });
    tr.appendChild(td);
    return tr;
  }

  function link(i) { return "#user=" + encodeURIComponent(names[i]); }

  function go(at) {
    if (shown.length === 0) { return; }
    current = Math.max(0, Math.min(at, shown.length - 1));
    var top = current * high, head = $("table").tHead.offsetHeight;
    if (top < view.scrollTop) { view.scrollTop = top; }
    if (top + high + head > view.scrollTop + view.clientHeight) { view.scrollTop = top + high + head - view.clientHeight; }
    draw();
  }

  // --- one user

  var dialog = $("user");

  function open(i) {
    var d = details(i), r = d.row, out = document.createDocumentFragment();
    var h = el("h2", "", names[i] || "(no name)");
    h.id = "user-name";
    h.tabIndex = -1;
    out.appendChild(h);
    var p = el("p", "lead");
    p.appendChild(el("span", "swatch " + meta.outlooks[outlooks[i]][0]));
    p.appendChild(document.createTextNode(meta.outlooks[outlooks[i]][1] + " · " + meta.actions[actions[i]] +
      (selects.wave ? " · " + meta.waves[waves[i]] : "")));
    out.appendChild(p);
    var dl = el("dl", "list");
    [["Sign-in name", upns[i] || (actions[i] === 3 && !r[0] ? "" : names[i])], ["Found by", d.text(r[1]) || "no account was found"], ["Number in the target", d.text(r[0])]].forEach(function (f) {
      if (f[1]) { dl.appendChild(el("dt", "", f[0])); dl.appendChild(el("dd", "", f[1])); }
    });
    out.appendChild(dl);
    out.appendChild(el("h3", "", "Before and after"));
    out.appendChild(r[2].length ? changes(r[2], d) : el("p", "soft", "The plan changes nothing for this user."));
    out.appendChild(el("h3", "", "Findings"));
    out.appendChild(r[3].length ? findings(r[3], d) : el("p", "soft", "None."));
    $("user-body").replaceChildren(out);
    var at = shown.indexOf(i);
    $("position").textContent = at < 0 ? "" : number(at + 1) + " of " + number(shown.length);
    $("previous").disabled = at <= 0;
    $("next").disabled = at < 0 || at >= shown.length - 1;
    if (at >= 0) { go(at); }
    dialog.dataset.at = at;
    if (!dialog.open) {
      dialog.showModal();
      h.focus(); // is read aloud, and Enter that is still held down moves nowhere
    }
    dialog.scrollTop = 0;
  }

  function changes(list, d) {
    var t = el("table", "diff"), head = el("tr"), thead = el("thead"), tbody = el("tbody");
    ["What", "Before", "After", "Why"].forEach(function (name) { var th = el("th", "", name); th.scope = "col"; head.appendChild(th); });
    thead.appendChild(head);
    for (var n = 0; n < list.length; n += 3) {
      var kind = d.text(list[n]).split("\n"), tr = el("tr"), th = el("th", "", kind[0]);
      th.scope = "row";
      th.appendChild(el("span", "op " + kind[1], kind[1]));
      tr.appendChild(th);
      tr.appendChild(cell("Before", d.text(list[n + 1]) || "none", list[n + 1] ? "" : "soft"));
      tr.appendChild(cell("After", d.text(list[n + 2]) || "none", list[n + 2] ? "" : "soft"));
      tr.appendChild(cell("Why", kind[2], "soft"));
      tbody.appendChild(tr);
    }
    t.appendChild(thead);
    t.appendChild(tbody);
    return t;
  }

  function cell(label, text, className) {
    var td = el("td", className, text);
    td.dataset.label = label;
    return td;
  }

  function findings(list, d) {
    var ul = el("ul", "found"), all = [];
    for (var n = 0; n < list.length; n += 3) { all.push(n); }
    all.sort(function (a, b) { return rank[list[a]] - rank[list[b]] || a - b; });
    all.forEach(function (n) {
      var c = meta.codes[list[n]], li = el("li", c[1]), p = el("p");
      p.appendChild(el("span", "badge " + c[1], c[1]));
      p.appendChild(el("span", "code", c[0]));
      li.appendChild(p);
      li.appendChild(el("p", "", c[2]));
      li.appendChild(el("p", "detail", d.text(list[n + 1]) + (list[n + 1] && list[n + 2] ? ": " : "") + d.text(list[n + 2])));
      li.appendChild(el("p", "soft", "To do: " + c[3]));
      ul.appendChild(li);
    });
    return ul;
  }

  // --- links: #user=NAME, #code=CODE, #outlook=N, #words=TEXT, and together

  function follow() {
    var hash = location.hash.slice(1);
    if (hash.indexOf("=") < 0) { return; }
    var q = new URLSearchParams(hash.replace(/\+/g, "%2B"));
    if (q.has("user")) {
      var name = q.get("user"), folded = name.toLowerCase();
      var i = names.indexOf(name);
      if (i < 0) { i = hay.findIndex(function (h) { return h.split("\n").some(function (n) { return n === folded || n === "'" + folded; }); }); }
      $("users").scrollIntoView();
      if (i >= 0) { open(i); } else { $("shown").textContent = "There is no user " + name + " in this table."; }
      return;
    }
    form.reset();
    search.value = q.get("words") || "";
    ["outlook", "action", "wave"].forEach(function (k) { if (selects[k] && q.has(k)) { selects[k].value = q.get(k); } });
    if (q.has("code")) { selects.code.value = meta.codes.findIndex(function (c) { return c[0] === q.get("code"); }); }
    $("users").scrollIntoView();
    find();
  }

  // unlink takes the user who was open out of the address, unless that leads
  // elsewhere already.
  function unlink() {
    if (location.hash.indexOf("#user=") === 0) { history.replaceState(null, "", "#users"); }
  }

  document.documentElement.className = "scripted";
  form.hidden = false;
  view.hidden = false;
  form.addEventListener("input", find);
  form.addEventListener("reset", function () { setTimeout(find, 0); });
  form.addEventListener("submit", function (e) { e.preventDefault(); });
  view.addEventListener("scroll", function () { requestAnimationFrame(draw); }, { passive: true });
  window.addEventListener("resize", draw);
  window.addEventListener("hashchange", follow);
  body.addEventListener("click", function (e) {
    var tr = e.target.closest("tr[data-at]");
    if (!tr || e.ctrlKey || e.metaKey || e.shiftKey) { return; }
    e.preventDefault();
    var i = shown[Number(tr.dataset.at)];
    history.replaceState(null, "", link(i));
    open(i);
  });
  view.addEventListener("keydown", function (e) {
    var page = Math.max(Math.floor(view.clientHeight / high) - 1, 1);
    var to = { ArrowDown: current + 1, ArrowUp: current - 1, PageDown: current + page, PageUp: current - page, Home: 0, End: shown.length - 1 }[e.key];
    if (to !== undefined) { e.preventDefault(); go(to); }
    if (e.key === "Enter" && shown.length > 0) { e.preventDefault(); history.replaceState(null, "", link(shown[current])); open(shown[current]); }
  });
  function step(by) {
    var i = shown[Number(dialog.dataset.at) + by];
    if (i === undefined) { return; }
    history.replaceState(null, "", link(i));
    open(i);
  }
  $("previous").addEventListener("click", function () { step(-1); });
  $("next").addEventListener("click", function () { step(1); });
  $("close").addEventListener("click", function () { dialog.close(); });
  dialog.addEventListener("close", function () { unlink(); view.focus({ preventScroll: true }); });
  dialog.addEventListener("click", function (e) { if (e.target === dialog) { dialog.close(); } });
  shown = names.map(function (_, i) { return i; });
  last = wanted();
  say();
  draw();
  follow();
})();
