// Without it, the link "Refresh" loads the page anew. It replaces what has changed only, so that
// a screen reader hears what is new, and what is typed stays.
(function () {
  var url = document.currentScript.dataset.url, lost = document.getElementById("lost");
  function renew(now) {
    document.querySelectorAll("[data-live]").forEach(function (old) {
      var fresh = now.getElementById(old.id);
      // What is just pressed would never be clicked.
      if (!fresh || old.innerHTML === fresh.innerHTML || old.querySelector(":active")) return;
      var focused = old.contains(document.activeElement) && document.activeElement.id;
      old.innerHTML = fresh.innerHTML;
      var again = focused && document.getElementById(focused);
      if (again) again.focus();
    });
  }
  function tell(text) {
    if (lost.textContent !== text) lost.textContent = text;
  }
  (function ask() {
    setTimeout(function () {
      var late = new AbortController();
      setTimeout(function () { late.abort(); }, 8000);
      fetch(url, {signal: late.signal}).then(function (answer) {
        if (!answer.ok) throw answer;
        return answer.text();
      }).then(function (text) {
        renew(new DOMParser().parseFromString(text, "text/html"));
        tell("");
      }).catch(function (answer) {
        tell(answer.status === 404 ? "This device is gone." : lost.dataset.text);
      }).then(ask);
    }, 2000);
  })();
})();
