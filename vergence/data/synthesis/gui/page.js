// Runs before any script of a page: its clock, timers and random numbers are ours, so that neither the speed of the
// machine nor the time of day shows. `vergenceAdvance(ms)` lets time pass and fires what is due, in order.
(() => {
  let now = START, next = 1, state = SEED >>> 0;
  const timers = new Map();
  const RealDate = Date;
  function FixedDate(...given) {
    if (!new.target) return new RealDate(now).toString();
    return given.length ? new RealDate(...given) : new RealDate(now);
  }
  FixedDate.prototype = RealDate.prototype;
  FixedDate.now = () => now;
  FixedDate.parse = RealDate.parse;
  FixedDate.UTC = RealDate.UTC;
  window.Date = FixedDate;
  performance.now = () => now - START;
  // mulberry32
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const add = (call, wait, every, given) => {
    const due = now + Math.max(1, Number(wait) || 0);
    timers.set(next, {call: typeof call === "function" ? call : () => (0, eval)(call), due, every, given});
    return next++;
  };
  window.setTimeout = (call, wait, ...given) => add(call, wait, 0, given);
  window.setInterval = (call, wait, ...given) => add(call, wait, Math.max(1, Number(wait) || 0), given);
  window.requestAnimationFrame = (call) => add(() => call(performance.now()), 16, 0, []);
  window.clearTimeout = window.clearInterval = window.cancelAnimationFrame = (number) => timers.delete(number);
  window.vergenceAdvance = (span) => {
    const end = now + span;
    for (;;) {
      let first = null;
      for (const [number, timer] of timers) {
        if (timer.due <= end && (first === null || timer.due < timers.get(first).due)) first = number;
      }
      if (first === null) break;
      const timer = timers.get(first);
      now = Math.max(now, timer.due);
      if (timer.every) timer.due += timer.every; else timers.delete(first);
      timer.call(...timer.given);
    }
    now = end;
  };
})();
