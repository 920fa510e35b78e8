"use strict";
(function () {
  var box = document.getElementById("filter");
  var words = document.getElementById("words");
  var shown = document.getElementById("shown");
  var groups = Array.prototype.slice.call(document.querySelectorAll(".group"));
  var rows = document.querySelectorAll(".group tr").length;
  function apply() {
    var wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    var count = 0;
    groups.forEach(function (group) {
      var on = document.getElementById("on-" + group.dataset.severity);
      var head = group.dataset.code.toLowerCase();
      var left = 0;
      Array.prototype.forEach.call(group.querySelectorAll("tr"), function (row) {
        var text = head + " " + row.textContent.toLowerCase();
        var fits = wanted.every(function (word) { return text.indexOf(word) >= 0; });
        row.hidden = !fits;
        if (fits) { left++; }
      });
      group.hidden = !(on && on.checked) || left === 0;
      if (!group.hidden) { count += left; }
    });
    shown.textContent = count + " of " + rows + " listed findings";
  }
  box.hidden = false;
  box.addEventListener("input", apply);
  if (location.hash.indexOf("#filter=") === 0) {
    try { words.value = decodeURIComponent(location.hash.slice(8)); } catch (e) { words.value = ""; }
  }
  apply();
})();
