// What the pages about personal access tokens do better with JavaScript. They work without it.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Screen readers announce what comes into a status region after the page has loaded, and not what is there already.
  const said = document.getElementById("pat-said");
  let saying;
  const say = (words, delay = 150) => {
    if (!said) return;
    clearTimeout(saying);
    said.textContent = "";
    saying = setTimeout(() => {
      said.textContent = words;
      // Who reads the page later reads it once.
      saying = setTimeout(() => { said.textContent = ""; }, 30_000);
    }, delay);
  };
  // What has the focus is announced by that.
  const notes = all("[data-say]:not([autofocus])").map((note) => note.textContent.trim());
  if (notes.length > 0) say(notes.join(" "));

  // Times in the zone of the browser, or in the one that was asked for, which the page names.
  const base = (tag) => tag.split("-")[0].toLowerCase();
  const language = document.documentElement.lang;
  // Of the page's language, the viewer's own kind: an English page shows British dates to a Briton.
  const locale = navigator.languages.find((tag) => base(tag) === base(language)) ?? language;
  const chosen = document.querySelector("[data-zone]")?.dataset.zone;
  const timeZone = chosen || Intl.DateTimeFormat().resolvedOptions().timeZone;
  const day = { year: "numeric", month: "short", day: "numeric", timeZone };
  const date = new Intl.DateTimeFormat(locale, day);
  const format = new Intl.DateTimeFormat(locale, { ...day, weekday: "short", hour: "numeric", minute: "2-digit", timeZoneName: "short" });
  // No line ends within "5:42 PM EST".
  const shown = (at) => {
    let isClock = false;
    return format.formatToParts(at).map(({ type, value }) => {
      isClock ||= type === "hour";
      return isClock ? value.replaceAll(" ", "\u00a0") : value;
    }).join("");
  };
  for (const time of all("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    // What says how far it is from now keeps its text.
    if ("relative" in time.dataset) time.title = shown(at);
    else time.textContent = "day" in time.dataset ? date.format(at) : shown(at);
  }
  for (const part of all("[data-zone-words]")) part.textContent = part.dataset.zoneWords.replace("{zone}", timeZone);
  for (const field of all("[data-zone-field]")) field.value = timeZone;

  // When a token will expire, as its life span is chosen.
  for (const field of all("fieldset[data-expiry]")) {
    const words = field.querySelector("[data-when]");
    const [days, until] = ["days", "date"].map((name) => field.querySelector(`input[name=${name}]`));
    const second = 1000;
    const length = 24 * 60 * 60 * second;
    // The clock of the server counts.
    const start = Date.parse(field.dataset.now) - performance.now();
    const now = () => start + performance.now();
    const iso = new Intl.DateTimeFormat("sv-SE", { timeZone });
    const today = () => Date.parse(iso.format(now()));
    for (const [name, ahead] of [["min", 1], ["max", Number(days.max)]]) {
      until[name] = new Date(today() + ahead * length).toISOString().slice(0, 10);
    }
    // In milliseconds; nothing if none is chosen, or one that is not allowed.
    const span = ({ value, dataset }) => {
      if (value === "never") return Infinity;
      if (value !== "days" && value !== "date") return dataset.seconds === "" ? Infinity : Number(dataset.seconds) * second;
      const number = value === "days" ? Number(days.value) : Math.round((Date.parse(until.value) - today()) / length);
      return Number.isInteger(number) && number >= 1 && number <= Number(days.max) ? number * length : undefined;
    };
    const show = () => {
      const button = field.querySelector("[name=expires]:checked");
      const chosen = button && span(button);
      const { words: some, never } = words.dataset;
      words.hidden = chosen === undefined || chosen === null;
      if (words.hidden) words.textContent = "";
      else words.textContent = chosen === Infinity ? never : some.replace("{time}", shown(new Date(now() + chosen)));
    };
    field.addEventListener("input", show);
    addEventListener("pageshow", () => {
      show();
      // From now on its changes are announced.
      setTimeout(() => words.setAttribute("role", "status"));
    });
  }

  // How many characters are typed, which is announced only where few are left.
  for (const counter of all("[data-counts]")) {
    const field = document.getElementById(counter.dataset.counts);
    const max = Number(counter.dataset.max);
    const show = () => {
      const count = [...field.value.trim()].length;
      counter.textContent = counter.dataset.words.replace("{count}", count);
      counter.toggleAttribute("data-over", count > max);
      return count;
    };
    counter.hidden = false;
    field.addEventListener("input", () => {
      if (max - show() <= 10) say(counter.textContent, 700);
    });
    addEventListener("pageshow", show);
  }

  // A name that another token has.
  for (const note of all("[data-taken]")) {
    const field = document.getElementById("pat-name");
    const taken = new Set(note.dataset.taken.split("\n"));
    field.addEventListener("input", () => {
      const name = field.value.trim();
      const isTaken = name !== "" && taken.has(name);
      const said = isTaken ? note.dataset.words : "";
      if (note.textContent !== said) note.textContent = said;
    });
  }

  // Questions as a dialog instead of a page.
  const ask = document.getElementById("pat-ask");
  const facts = document.getElementById("pat-ask-facts");
  // The dialog says what the row says, with the date where the row says how long ago it was.
  const tell = (row) => {
    const tag = (name, ...content) => {
      const element = document.createElement(name);
      element.append(...content);
      return element;
    };
    for (const fact of all("[data-told]", facts)) fact.remove();
    const told = all("td[data-label]", row).map((cell) => {
      const said = tag("dd", ...[...cell.cloneNode(true).childNodes]);
      for (const time of all("time[data-relative]", said)) time.before(`${time.title}, `);
      const fact = tag("div", tag("dt", cell.dataset.label), said);
      fact.dataset.told = "";
      return fact;
    });
    facts.prepend(...told);
  };
  if (ask?.showModal) {
    for (const link of all("a[data-ask]")) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        ask.querySelector("form").action = link.href;
        ask.querySelector("h2").textContent = link.dataset.ask;
        document.getElementById("pat-ask-text").textContent = link.dataset.consequence;
        const scopes = document.getElementById("pat-ask-scopes");
        if (scopes) scopes.textContent = link.dataset.scopes;
        tell(link.closest("tr"));
        ask.showModal();
        // The way out comes first for those who only press Enter.
        ask.querySelector("[data-close]").focus();
      });
    }
    for (const button of all("[data-close]", ask)) {
      button.addEventListener("click", () => ask.close());
    }
  }

  // Copying, or marking where that is not allowed.
  for (const button of all("button[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      let words = button.dataset.copied;
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        getSelection().selectAllChildren(source);
        words = button.dataset.failed;
      }
      button.textContent = words;
      say(words, 0);
      setTimeout(() => { button.textContent = label; }, 4000);
    });
  }

  // A menu closes when it is left.
  const menus = all("details.pat-menu");
  const close = (isLeft) => menus.filter((menu) => menu.open && isLeft(menu)).forEach((menu) => { menu.open = false; });
  for (const name of ["click", "focusin"]) {
    addEventListener(name, ({ target }) => close((menu) => !menu.contains(target)));
  }
  addEventListener("keydown", ({ key, target }) => {
    if (key !== "Escape") return;
    const menu = target.closest?.("details.pat-menu[open]");
    close(() => true);
    menu?.querySelector("summary").focus();
  });

  // A reload goes to the list instead of sending the form again. The links are relative to the address before.
  if (document.querySelector("[data-forget]")) {
    for (const link of all("a[href]:not([href^='#'])")) link.setAttribute("href", link.href);
    for (const form of all("form[action]")) form.setAttribute("action", form.action);
  }
  for (const part of all("[data-forget]")) {
    history.replaceState(null, "", part.dataset.forget);
  }

  // A token is not shown again to whoever presses "back" later.
  addEventListener("pagehide", () => {
    for (const secret of all("[data-secret]")) {
      secret.textContent = secret.closest("[data-gone]").dataset.gone;
    }
  });

  // A double click sends a form once. One that comes back by "back" can be sent again.
  for (const form of all("form[data-once]")) {
    const buttons = all("button:not([type=button])", form).filter((button) => !button.disabled);
    form.addEventListener("submit", () => {
      setTimeout(() => buttons.forEach((button) => { button.disabled = true; }));
    });
    addEventListener("pageshow", () => buttons.forEach((button) => { button.disabled = false; }));
  }

  // A scope that another one includes is shown as checked. Boxes that do not count are not sent.
  for (const field of all("fieldset[data-scopes]")) {
    const boxes = all("input[type=checkbox]", field);
    const chosen = field.querySelector("[name=access][value=scopes]");
    const checked = new Set();
    const show = () => {
      const isUsed = chosen?.type === "hidden" || chosen?.checked;
      const included = new Set(boxes.filter((box) => checked.has(box.value)).flatMap((box) => box.dataset.includes.split(" ")));
      for (const box of boxes) {
        const isIncluded = included.has(box.value);
        box.checked = isIncluded || checked.has(box.value);
        box.disabled = isIncluded || !isUsed;
      }
    };
    field.addEventListener("change", ({ target }) => {
      if (target.type === "checkbox") checked[target.checked ? "add" : "delete"](target.value);
      show();
    });
    addEventListener("pageshow", () => {
      const first = boxes.filter((box) => box.checked && !box.disabled);
      for (const box of first) checked.add(box.value);
      show();
      // What a link has checked is seen.
      const list = field.querySelector(".pat-scope-list");
      if (first.length > 0) list.scrollTop = first[0].offsetTop - list.offsetTop - list.clientHeight / 2;
    });
  }

  // Users are suggested as one types. Without an answer the field takes any text, as ever.
  for (const field of all("input[data-suggest]")) {
    let timer;
    let asked;
    field.addEventListener("input", () => {
      clearTimeout(timer);
      asked?.abort();
      const text = field.value.trim();
      const isChosen = [...field.list.options].some((option) => option.value === text);
      if (text === "" || isChosen) return;
      timer = setTimeout(async () => {
        asked = new AbortController();
        const query = new URLSearchParams({ contains: text });
        try {
          const answer = await fetch(`${field.dataset.suggest}?${query}`, { signal: asked.signal });
          if (!answer.ok) return;
          const users = await answer.json();
          field.list.replaceChildren(...users.map(({ key, label }) =>
            Object.assign(document.createElement("option"), { value: key, label })));
        } catch { /* another is asked, or the host does not answer */ }
      }, 150);
    });
  }

  // What is folded on narrow screens is open on wide ones.
  const wide = matchMedia("(min-width: 52.01rem)");
  const unfold = () => all("details[data-fold]").forEach((part) => { part.open ||= wide.matches; });
  wide.addEventListener("change", unfold);
  unfold();

  // How many are selected, also on other pages, all on the page at once, and then all that the filter finds.
  for (const form of all("form[data-select]")) {
    const boxes = all("input[type=checkbox][name=id]", form);
    const elsewhere = all("input[type=hidden][name=id]", form).length;
    const select = form.querySelector("input[name=select]");
    const each = form.querySelector("[data-each]");
    if (!each) continue;
    const count = form.querySelector("[data-selected]");
    const revoke = form.querySelector("button[value=selected]");
    const page = form.querySelector("[data-all=page]");
    const found = form.querySelector("[data-all=found]");
    let isFound = select?.disabled === false;
    const show = () => {
      const number = boxes.filter((box) => box.checked).length;
      const isPage = number > 0 && number === boxes.length;
      isFound &&= isPage;
      const total = number + elsewhere;
      count.textContent = total > 0 && !isFound ? `${count.dataset.selected} ${total}` : "";
      revoke.disabled = total === 0;
      if (select) select.disabled = !isFound;
      revoke.value = isFound ? "found" : "selected";
      each.checked = isPage;
      each.indeterminate = number > 0 && !isPage;
      if (page) page.hidden = !isPage || isFound;
      if (found) found.hidden = !isFound;
    };
    const check = (isSelected, isAll = false) => {
      for (const box of boxes) box.checked = isSelected;
      isFound = isAll;
      show();
    };
    each.hidden = false;
    each.addEventListener("change", () => check(each.checked));
    // A button that goes away hands the focus on.
    page?.querySelector("button")?.addEventListener("click", () => {
      check(true, true);
      found.querySelector("button").focus();
    });
    found?.querySelector("button").addEventListener("click", () => {
      check(false);
      each.focus();
    });
    for (const button of all("[data-unscripted]", form)) button.hidden = true;
    form.addEventListener("change", show);
    addEventListener("pageshow", show);
  }

  // A filter keeps what is selected by now.
  for (const form of all("form[data-keeps]")) {
    form.addEventListener("submit", () => {
      const ids = all("[name=id]", document.getElementById(form.dataset.keeps)).filter((field) => field.type === "hidden" || field.checked);
      for (const field of all("[name=id]", form)) field.remove();
      form.append(...ids.map(({ value }) => Object.assign(document.createElement("input"), { type: "hidden", name: "id", value })));
    });
  }

  // What the page begins with, or the first field that is wrong.
  const first = ["[autofocus]", "[aria-invalid=true]", "[data-wrong] :checked", "[data-wrong] input:not([type=hidden])"];
  first.map((selector) => document.querySelector(selector)).find((part) => part)?.focus();
})();
