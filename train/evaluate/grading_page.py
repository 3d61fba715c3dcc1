"""The page of the blind grading: plain HTML and script, no network; %DATA% is where the drawings go."""

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Real or fake?</title>
<style>
:root{color-scheme:light}
body{font:16px/1.5 system-ui,sans-serif;color:#1d2430;background:#fff;max-width:640px;margin:0 auto;padding:20px;
text-align:center}
svg{width:min(400px,90vw);height:min(400px,90vw);border:1px solid #d5dae2;border-radius:8px}
path{fill:none;stroke:#1d2430;stroke-width:3;stroke-linecap:round;stroke-linejoin:round}
button{font:inherit;padding:10px 18px;margin:6px;border:1px solid #7d8998;border-radius:6px;background:#f4f6f9;
cursor:pointer}button:hover,button:focus-visible{background:#dfe7f2}button.chosen{border-color:#1f5fae;
background:#dbe8f8}kbd{font:13px monospace;border:1px solid #b9c1cd;border-radius:3px;padding:0 5px;color:#566173}
progress{width:100%;height:10px}.note{color:#566173;font-size:14px}h1{font-size:20px;margin:8px 0}
</style></head>
<body>
<p class="note">Somebody drew a part of these within seconds; a program drew the others. What is this one?</p>
<progress id="bar" value="0"></progress>
<p class="note" id="count"></p>
<h1 id="label"></h1>
<svg viewBox="-15 -15 285 285" role="img" aria-labelledby="label"><path id="path" d=""/></svg>
<div id="grades">
<button data-grade="real">Real <kbd>1</kbd></button>
<button data-grade="possibly real">Possibly real <kbd>2</kbd></button>
<button data-grade="fake">Fake <kbd>3</kbd></button>
</div>
<div>
<button id="back">Back <kbd>&larr;</kbd></button>
<button id="save">Save the answers <kbd>s</kbd></button>
</div>
<p class="note" id="done"></p>
<noscript><p>This page needs JavaScript.</p></noscript>
<script type="application/json" id="data">%DATA%</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const keep = "sketch-grading-" + data.page;
const get = (id) => document.getElementById(id);
let answers = {};
try { answers = JSON.parse(localStorage.getItem(keep)) || {}; } catch (error) { answers = {}; }
let at = data.items.findIndex((_, i) => !(i in answers));
if (at < 0) at = data.items.length - 1;

function show() {
  const item = data.items[at], count = Object.keys(answers).length, all = data.items.length;
  get("label").textContent = item.label;
  get("path").setAttribute("d", item.path);
  get("bar").max = all;
  get("bar").value = count;
  get("count").textContent = `Drawing ${at + 1} of ${all}; ${count} graded`;
  for (const button of get("grades").children)
    button.classList.toggle("chosen", answers[at] === button.dataset.grade);
  get("done").textContent = count === all ? "All graded, thank you: save the answers." : "";
}

function grade(value) {
  answers[at] = value;
  try { localStorage.setItem(keep, JSON.stringify(answers)); } catch (error) { /* kept in this tab alone */ }
  if (at < data.items.length - 1) at += 1;
  show();
}

function save() {
  const text = JSON.stringify({ format: 1, page: data.page, answers: answers }, null, 1) + "\\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "grades.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function back() {
  if (at > 0) at -= 1;
  show();
}

for (const button of get("grades").children)
  button.addEventListener("click", () => grade(button.dataset.grade));
get("back").addEventListener("click", back);
get("save").addEventListener("click", save);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const grades = { "1": "real", "2": "possibly real", "3": "fake" };
  if (event.key in grades) grade(grades[event.key]);
  else if (event.key === "ArrowLeft") back();
  else if (event.key === "s") save();
});
show();
</script>
</body></html>
"""
