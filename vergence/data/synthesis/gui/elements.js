// All that can be seen of a page: one record for each element that a person would name.
(() => {
  const width = innerWidth, height = innerHeight;
  const TYPES = {
    A: "link", BUTTON: "button", SELECT: "drop-down list", TEXTAREA: "text field", IMG: "image", SUMMARY: "button",
    H1: "heading", H2: "heading", H3: "heading", H4: "heading", H5: "heading", H6: "heading", TH: "table cell",
    TD: "table cell", PRE: "code",
  };
  const ROLES = {
    button: "button", link: "link", checkbox: "checkbox", radio: "radio button", switch: "switch", tab: "tab",
    menuitem: "menu item", slider: "slider", textbox: "text field", combobox: "drop-down list", img: "image",
    heading: "heading", option: "option",
  };
  const INPUTS = {
    checkbox: "checkbox", radio: "radio button", range: "slider", button: "button", submit: "button", reset: "button",
    image: "button",
  };
  const BLOCKS = new Set(["P", "LI", "DT", "DD", "SPAN", "DIV", "STRONG", "EM", "LABEL", "CAPTION", "FIGCAPTION"]);
  const INTERACTIVE = new Set([
    "link", "button", "drop-down list", "text field", "checkbox", "radio button", "slider", "switch", "tab",
    "menu item", "option",
  ]);
  const clean = (text) => (text || "").replace(/\s+/g, " ").trim();
  const ownText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && clean(node.nodeValue));

  const typeOf = (element) => {
    const role = ROLES[element.getAttribute("role")];
    // The bars of an accordion are tabs by their role only.
    if (role === "tab" && /^H[1-6]$/.test(element.tagName)) return "heading";
    if (role) return role;
    if (element.tagName === "A" && !element.hasAttribute("href")) return null;
    if (element.tagName === "INPUT") return element.type === "hidden" ? null : INPUTS[element.type] || "text field";
    // The words of a label are the name of its control.
    if (element.tagName === "LABEL" && element.control) return null;
    const type = TYPES[element.tagName];
    if (type === "table cell" && !ownText(element)) return null;
    if (type) return type;
    if (BLOCKS.has(element.tagName) && ownText(element)) return "text";
    return null;
  };
  const nameOf = (element, type) => {
    const label = clean(element.getAttribute("aria-label"));
    if (label) return label;
    if (element.labels && element.labels.length) return clean(element.labels[0].innerText);
    if (type === "image") return clean(element.getAttribute("alt"));
    if (element.tagName === "INPUT" && type === "button") return clean(element.value);
    if (type === "text field") return clean(element.getAttribute("placeholder"));
    if (type === "drop-down list" || type === "slider") return "";
    return clean(element.innerText);
  };
  const stateOf = (element, type) => {
    if (type === "checkbox" || type === "radio button" || type === "switch") {
      if (typeof element.checked === "boolean") return element.checked ? "on" : "off";
      return element.getAttribute("aria-checked") === "true" ? "on" : "off";
    }
    if (type === "tab") return element.getAttribute("aria-selected") === "true" ? "on" : "off";
    if (type === "text field" || type === "slider") return element.value ?? "";
    if (type === "drop-down list" && element.selectedIndex >= 0) return clean(element.options[element.selectedIndex].text);
    return "";
  };
  const labelOf = (element) => {
    if (!element.labels || !element.labels.length) return null;
    const rect = element.labels[0].getBoundingClientRect();
    return [rect.left, rect.top, rect.right, rect.bottom];
  };
  // A block without a surface of its own is as wide as its column; what can be seen of it is what stands in it.
  const BARE = new Set(["heading", "text", "link", "table cell"]);
  const boundsOf = (element, type, style) => {
    const full = element.getBoundingClientRect();
    const surface = style.backgroundImage !== "none" || !/^(transparent|rgba\(.*, 0\))$/.test(style.backgroundColor)
      || parseFloat(style.borderLeftWidth) > 0 || parseFloat(style.borderRightWidth) > 0;
    if (surface || !BARE.has(type)) return full;
    const range = document.createRange();
    range.selectNodeContents(element);
    const found = range.getBoundingClientRect();
    return found.width >= 1 && found.height >= 1 ? found : full;
  };
  const meets = (element, x, y) => {
    const top = document.elementFromPoint(x, y);
    return top !== null && (top === element || element.contains(top));
  };

  const found = [];
  const walk = (element, depth, inside) => {
    const style = getComputedStyle(element);
    if (style.display === "none") return;
    const type = typeOf(element);
    const rects = [...element.getClientRects()].filter((rect) => rect.width > 0 && rect.height > 0);
    if (type && rects.length && style.visibility === "visible" && Number(style.opacity) > 0.05 && !inside) {
      const full = boundsOf(element, type, style);
      const box = [
        Math.max(full.left, 0), Math.max(full.top, 0), Math.min(full.right, width), Math.min(full.bottom, height),
      ];
      if (box[2] - box[0] >= 4 && box[3] - box[1] >= 4) {
        const [w, h] = [full.width, full.height];
        const places = [[0.5, 0.5], [0.15, 0.5], [0.85, 0.5], [0.5, 0.2], [0.5, 0.8]];
        const seen = places.filter(([a, b]) => meets(element, full.left + a * w, full.top + b * h)).length;
        if (seen) {
          found.push({
            type, name: nameOf(element, type), text: clean(element.innerText), state: stateOf(element, type),
            box, depth, visible: seen / places.length, lines: rects.length,
            centre: meets(element, full.left + w / 2, full.top + h / 2), tag: element.tagName.toLowerCase(),
            whole: full.left >= 0 && full.top >= 0 && full.right <= width && full.bottom <= height,
            clickable: INTERACTIVE.has(type) && !element.disabled, id: element.id,
            label: labelOf(element),
          });
        }
      }
    }
    // What stands in a button or a link is part of it; prose is reported by its smallest block.
    const within = inside || INTERACTIVE.has(type);
    for (const child of element.children) walk(child, depth + 1, within);
  };
  walk(document.body, 0, false);
  return found;
})()
