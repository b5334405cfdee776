/* Keeps an open page current without moving it: a bar says how much is new, the reader decides when
   to see it. Only ids come over the line. Without this file every page works the same, by reloading. */
(function () {
  "use strict";
  var bar = document.querySelector("[data-news]");
  if (!bar) return;
  var link = bar.querySelector("[data-news-link]");
  var last = document.body.dataset.last;
  var events = new Set();
  var timer = 0;

  function busy() {
    var at = document.activeElement;
    return Boolean(at && at.closest("form"));
  }

  function show() {
    if (!events.size || busy()) return;
    link.textContent = events.size + " new: show";
    bar.hidden = false;
    document.title = "(" + events.size + ") " + document.title.replace(/^\(\d+\) /, "");
  }

  function take(entry) {
    last = entry.id;
    if (entry.kind === "alert") {
      events.add(entry.event);
      show();
    }
  }

  function poll() {
    fetch("/live/since?after=" + encodeURIComponent(last), { headers: { Accept: "application/json" } })
      .then(function (answer) { return answer.ok ? answer.json() : { events: [] }; })
      .then(function (found) { found.events.forEach(take); })
      .catch(function () {});
  }

  function open() {
    var line = new EventSource("/live?after=" + encodeURIComponent(last));
    line.addEventListener("happened", function (message) {
      var entry = JSON.parse(message.data);
      entry.id = message.lastEventId;
      take(entry);
    });
    line.addEventListener("open", function () { clearInterval(timer); timer = 0; });
    line.addEventListener("error", function () {
      if (!timer) timer = setInterval(poll, 5000);
      if (line.readyState === EventSource.CLOSED) setTimeout(open, 15000);
    });
    window.addEventListener("pagehide", function () { line.close(); }, { once: true });
  }

  document.addEventListener("focusout", function () { setTimeout(show, 0); });
  open();
})();
