// The sample browser. Everything that came from data becomes text nodes and attributes here, never markup.
{
  const PAGE = 10;
  const PICTURE = 360;  // pixels of the page that a picture's longer side fills at most
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#aa3377", "#b8860b", "#5b3fd1"];
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
    node.append(...children.flat().filter((child) => child !== null && child !== ""));
    return node;
  };
  const draw = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const letter = (index) => String.fromCharCode(65 + (index % 26));
  const said = (value) => make("bdi", {}, String(value));

  const root = document.getElementById("browser");
  if (root) start(root);

  function start(root) {
    const about = read("about");
    const pictures = read("pictures");
    const loaded = new Map();
    const several = about.runs.length > 1;
    const choice = (label, options) => {
      const select = make("select", {}, options.map(([value, shown]) => make("option", { value }, shown)));
      return [make("label", {}, label, " ", select), select];
    };
    const [taskLabel, taskChoice] = choice("Task", about.tasks.map((task, number) => [number, task.name]));
    const [outcomeLabel, outcomeChoice] = choice("Answer", []);
    const [runLabel, runChoice] = choice("Model", [["", "any"], ...about.runs.map((run, number) => [number, run])]);
    const search = make("input", { type: "search", placeholder: "words of question, answer, tag, id" });
    const note = make("p", { class: "hint" });
    const status = make("p", { class: "status", "aria-live": "polite" });
    const list = make("div", { class: "samples" });
    const pager = () => {
      const back = make("button", { type: "button" }, "← Back");
      const next = make("button", { type: "button" }, "Next →");
      const where = make("span");
      back.addEventListener("click", () => turn(-1));
      next.addEventListener("click", () => turn(1));
      return { back, next, where, node: make("div", { class: "pager" }, back, where, next) };
    };
    const pagers = [pager(), pager()];
    root.append(
      make("div", { class: "controls" }, about.tasks.length > 1 ? taskLabel : null, outcomeLabel, several ? runLabel : null,
        make("label", {}, "Search ", search)),
      note, status, pagers[0].node, list, pagers[1].node,
    );
    let first = 0;
    let matching = [];

    function samples() {
      const number = taskChoice.value;
      if (!loaded.has(number)) loaded.set(number, read(`data-${number}`));
      return loaded.get(number);
    }
    const answersOf = (sample) => sample.answers.filter((answer, run) => answer && (runChoice.value === "" || runChoice.value === String(run)));
    const disagree = (sample) => new Set(sample.answers.filter(Boolean).map((answer) => answer.outcome)).size > 1;
    const filters = {
      all: ["all", (sample) => answersOf(sample).length > 0],
      ...Object.fromEntries(Object.entries(about.outcomes).map(
        ([key, words]) => [key, [words, (sample) => answersOf(sample).some((answer) => answer.outcome === key)]])),
      tie: ["tie", (sample) => answersOf(sample).some((answer) => answer.tie)],
      differ: ["models differ", disagree],
    };
    function words(sample) {
      sample.words ??= [sample.id, sample.question, sample.reference, ...sample.choices, ...sample.tags,
        ...sample.answers.filter(Boolean).flatMap((answer) => [answer.text, answer.thought, answer.extracted, answer.error])]
        .join("\n").toLowerCase();
      return sample.words;
    }
    function offer() {
      const before = outcomeChoice.value || "all";
      outcomeChoice.replaceChildren();
      for (const [key, [shown, test]] of Object.entries(filters)) {
        const count = samples().filter(test).length;
        if (key !== "all" && !count) continue;
        outcomeChoice.append(make("option", { value: key }, `${shown} (${count})`));
      }
      outcomeChoice.value = before;
      if (outcomeChoice.selectedIndex < 0) outcomeChoice.value = "all";
    }
    function refresh() {
      const [, test] = filters[outcomeChoice.value];
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      matching = samples().filter((sample) => test(sample) && wanted.every((word) => words(sample).includes(word)));
      first = 0;
      show();
    }
    function show() {
      note.textContent = about.tasks[taskChoice.value].note;
      status.textContent = matching.length ? "" : "No sample matches.";
      list.replaceChildren(...matching.slice(first, first + PAGE).map(card));
      const last = Math.min(first + PAGE, matching.length);
      for (const { back, next, where, node } of pagers) {
        node.hidden = matching.length <= PAGE;
        where.textContent = `${first + 1}–${last} of ${matching.length}`;
        back.disabled = first === 0;
        next.disabled = last >= matching.length;
      }
    }
    function turn(by) {
      first += by * PAGE;
      show();
      root.scrollIntoView({ block: "start" });
    }

    function card(sample) {
      const name = sample.repeat ? `${sample.id}, repeat ${sample.repeat}` : sample.id;
      const shots = sample.media.map((media) => shot(media, sample));
      const answers = make("div", { class: "answers" }, sample.answers.map((answer, run) => answer ? said_by(answer, run, sample) : null));
      return make("article", { class: "sample" },
        make("h3", {}, said(name), make("small", {}, " ", said(sample.tags.join(" · ")))),
        make("div", { class: "beside" },
          shots.length ? make("div", { class: "shots" }, shots) : null,
          make("div", { class: "talk" },
            make("p", { class: "question" }, said(sample.question)),
            options(sample),
            make("p", { class: "reference" }, make("b", {}, "reference "), said(sample.right === null
              ? sample.reference : `${letter(sample.right)}. ${sample.choices[sample.right]}`)),
            several ? null : answers,
          ),
        ),
        several ? answers : null,
      );
    }
    function options(sample) {
      if (!sample.choices.length) return null;
      return make("ul", { class: "options" }, sample.choices.map((words, index) => {
        const takers = sample.answers.map((answer, run) => answer?.choice === index ? run : null).filter((run) => run !== null);
        return make("li", { class: index === sample.right ? "right" : null },
          make("b", {}, `${letter(index)}.`), " ", said(words),
          index === sample.right ? make("span", { class: "tag" }, "✓ right") : null,
          takers.map((run) => make("span", { class: "tag" }, "← ", several ? badge(run) : "answer")));
      }));
    }
    const badge = (run) => {
      const node = make("span", { class: "badge", title: about.runs[run] }, letter(run));
      node.style.backgroundColor = COLOURS[run % COLOURS.length];
      return node;
    };
    function said_by(answer, run, sample) {
      const mark = { right: "✓", wrong: "✗", invalid: "?", error: "!", partial: "◐", scored: "·" }[answer.outcome];
      const facts = make("dl");
      const fact = (name, value) => value !== "" && value !== null && facts.append(make("dt", {}, name), make("dd", {}, value));
      const pairs = (values) => values.map(([name, value]) => `${name} ${value}`).join(", ");
      const means = answer.choice === null || answer.extracted === letter(answer.choice) ? "" : ` → ${letter(answer.choice)}`;
      fact("extracted", answer.error ? "" : answer.extracted === null ? make("em", {}, "nothing") : said(answer.extracted + means));
      fact("scores", answer.scores.length ? said(pairs(answer.scores)) : "");
      fact("other harnesses", answer.compat.length ? said(pairs(answer.compat)) : "");
      fact("tokens", answer.tokens.length ? pairs(answer.tokens) : "");
      fact("picture", answer.image ? said(answer.image) : "");
      return make("section", { class: `said ${answer.outcome}` },
        make("h4", {}, several ? badge(run) : null, several ? said(` ${about.runs[run]}`) : null,
          make("span", { class: "verdict" }, `${mark} ${about.outcomes[answer.outcome]}`),
          answer.tie ? make("span", { class: "tag" }, "tie") : null,
          answer.cut ? make("span", { class: "tag" }, "cut off") : null),
        answer.error ? make("p", { class: "text" }, said(answer.error))
          : answer.text ? make("p", { class: "text" }, said(answer.text))
          : answer.candidates.length ? null : make("p", { class: "text" }, make("em", {}, "(nothing)")),
        answer.thought ? make("details", {}, make("summary", {}, "thought"), make("p", { class: "text" }, said(answer.thought))) : null,
        answer.candidates.length ? candidates(answer.candidates, sample) : null,
        facts.childElementCount ? facts : null);
    }
    function candidates(rows, sample) {
      const names = ["sum", "mean", "per character", "per byte", "PMI"];
      const used = names.map((_, column) => column + 1).filter((column) => rows.some((row) => typeof row[column] === "number"));
      const best = Object.fromEntries(used.map((column) => [column, Math.max(...rows.map((row) => row[column] ?? -Infinity))]));
      const head = make("tr", {}, make("th", { scope: "col" }, "candidate"), used.map((column) => make("th", { scope: "col" }, names[column - 1])));
      const body = rows.map((row, index) => make("tr", {},
        make("th", { scope: "row" }, row[0] === sample.choices[index] ? letter(index) : said(row[0]), index === sample.right ? " ✓" : null),
        used.map((column) => make("td", { class: row[column] === best[column] ? "best" : null },
          typeof row[column] === "number" ? row[column].toFixed(3) : "–"))));
      return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Log-probabilities of the candidates" },
        make("table", { class: "candidates" }, make("thead", {}, head), make("tbody", {}, body)));
    }
    function shot(media, sample) {
      const address = media.picture && pictures[media.picture];
      if (!address) return make("p", { class: "noshot" }, `${media.kind}${media.path ? ` ${media.path}` : ""}: picture not kept`);
      const picture = make("img", { src: address, alt: `${media.kind} of ${sample.id}`, loading: "lazy" });
      const frame = make("div", { class: "shot" }, picture);
      const [width, height] = media.size ?? [0, 0];
      if (!width) return frame;
      const scale = Math.min(PICTURE / Math.max(width, height), 4);
      frame.style.width = `${Math.round(width * scale)}px`;
      if (scale >= 2) frame.classList.add("enlarged");  // its own pixels, and no blur that the model didn't see
      frame.style.aspectRatio = `${width}/${height}`;
      const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
      for (const place of sample.truth) mark(svg, place, "#111", scale, "truth");
      sample.answers.forEach((answer, run) => answer?.places.forEach((place) => {
        const colour = several ? COLOURS[run % COLOURS.length] : answer.outcome === "right" ? "#12743a" : "#b3261e";
        mark(svg, place, colour, scale, "answer", several ? letter(run) : "");
      }));
      if (svg.childElementCount) frame.append(svg);
      return frame;
    }
    function mark(svg, place, colour, scale, kind, name = "") {
      const box = place.length === 4;
      const [x, y] = box ? [Math.min(place[0], place[2]), Math.min(place[1], place[3])] : place;
      const shape = box
        ? { x, y, width: Math.abs(place[2] - place[0]), height: Math.abs(place[3] - place[1]) }
        : { cx: x, cy: y, r: 6 / scale };
      for (const [layer, stroke] of [["rim", "#fff"], [kind, colour]]) {
        const outline = draw(box ? "rect" : "circle", { ...shape, class: layer });
        outline.style.stroke = stroke;
        svg.append(outline);
      }
      if (!name) return;
      const label = draw("text", { x: x + 4 / scale, y: y + 14 / scale, "font-size": 13 / scale, fill: colour });
      label.textContent = name;
      svg.append(label);
    }

    taskChoice.addEventListener("change", () => { offer(); refresh(); });
    runChoice.addEventListener("change", () => { offer(); refresh(); });
    outcomeChoice.addEventListener("change", refresh);
    search.addEventListener("input", refresh);
    // A link such as #samples-2 or #samples-2-invalid leads to a task's samples.
    function follow() {
      const [, task, outcome] = /^#samples-(\d+)(?:-(\w+))?$/.exec(location.hash) ?? [];
      if (task === undefined || !about.tasks[task]) return false;
      taskChoice.value = task;
      outcomeChoice.value = "all";
      runChoice.value = search.value = "";
      offer();
      if (outcome in filters) outcomeChoice.value = outcome;
      if (outcomeChoice.selectedIndex < 0) outcomeChoice.value = "all";
      refresh();
      document.getElementById("samples").scrollIntoView();
      return true;
    }
    addEventListener("hashchange", follow);
    if (!follow()) {
      offer();
      refresh();
    }
  }
}
