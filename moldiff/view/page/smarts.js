// SMARTS and SMILES as patterns: text -> atoms with tests, bonds with tests; what it cannot read it refuses.
// Understood: elements, aromatic atoms, * a A #n, charges, isotopes, D H R r X v x, ! & , ; and $(...), bonds - = # : ~ @,
// branches, rings and dots. Stereo is read and not asked for; hydrogens are counted at their atoms.

const TWO_LETTERS = new Set("Cl Br Si Se As Li Na Mg Al Ca Ti Cr Mn Fe Co Ni Cu Zn Ag Sn Te Pt Au Hg Pb".split(" "));
const ONE_LETTER = new Set("H B C N O F P S K I".split(" "));
const AROMATIC = new Set("b c n o p s".split(" "));
const BARE = /^(?:Cl|Br|[BCNOPSFI*aA]|[bcnops])/;
const NUMBERS = ["*", ..."H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I".split(" ")];

const always = () => true;
const both = (p, q) => (...x) => p(...x) && q(...x);
const either = (p, q) => (...x) => p(...x) || q(...x);
const isElement = (symbol) => (g, i) => g.elements[i] === symbol;
const isAromatic = (g, i) => g.aromatic[i];
const isAliphatic = (g, i) => !g.aromatic[i];

/** A symbol as SMILES has it: lower case is aromatic. */
function symbolTest(symbol) {
  if (symbol === "*") return always;
  if (symbol === "a") return isAromatic;
  if (symbol === "A") return isAliphatic;
  const name = symbol[0].toUpperCase() + symbol.slice(1);
  return both(isElement(name), symbol === name ? isAliphatic : isAromatic);
}

// letter -> test of its number; undefined where no number was given
const COUNTED = {
  D: (n = 1) => (g, i) => g.neighbours[i].length === n,
  H: (n = 1) => (g, i) => g.hydrogens[i] === n,
  X: (n = 1) => (g, i) => g.connected[i] === n,
  v: (n = 1) => (g, i) => g.valence[i] === n,
  R: (n) => (g, i) => (n === undefined ? g.rings[i].length > 0 : g.rings[i].length === n),
  r: (n) => (g, i) => (n ? Math.min(...g.rings[i]) === n : g.rings[i].length > 0 === (n === undefined)),
  x: (n) => (g, i) => (n === undefined ? g.ringBonds[i] > 0 : g.ringBonds[i] === n),
};

const BONDS = {
  "-": (g, k) => g.orders[k] === 1 && !g.aromaticBonds[k], "=": (g, k) => g.orders[k] === 2 && !g.aromaticBonds[k],
  "#": (g, k) => g.orders[k] === 3, ":": (g, k) => g.aromaticBonds[k], "~": always, "@": (g, k) => g.ringBond[k],
};
BONDS["/"] = BONDS["\\"] = BONDS["-"];
const unmarkedBond = (g, k) => g.orders[k] === 1 || g.aromaticBonds[k];

class PatternError extends Error {}

/** Read a pattern; PatternError says what is wrong with it, and where. */
function parsePattern(text) {
  const atoms = [], open = new Map(), branches = [];
  let at = 0, previous = -1, bond = null;
  const fail = (message) => { throw new PatternError(`${message} at character ${at + 1}`); };
  const rest = () => text.slice(at);
  const take = (length) => { at += length; return text.slice(at - length, at); };

  /** Tests joined by ; , & or nothing, ! before any; one() reads a single test or gives null. */
  function expression(one) {
    const term = () => {
      let not = false;
      while (text[at] === "!") { not = !not; at += 1; }
      const test = one();
      if (!test && not) fail("nothing follows the !");
      return test && (not ? (...x) => !test(...x) : test);
    };
    const joined = (sign, inner, join, loose) => () => {
      let test = inner();
      while (test && at < text.length) {
        const signed = text[at] === sign;
        if (signed) at += 1;
        else if (!loose) break;
        const more = inner();
        if (!more && signed) fail(`nothing follows the ${sign}`);
        if (!more) break;
        test = join(test, more);
      }
      return test;
    };
    return joined(";", joined(",", joined("&", term, both, true), either, false), both, false)();
  }

  function number() {
    const digits = rest().match(/^\d+/)?.[0];
    return digits === undefined ? undefined : Number(take(digits.length));
  }

  function charge() {
    const sign = take(1), factor = sign === "+" ? 1 : -1;
    let size = number();
    if (size === undefined) for (size = 1; text[at] === sign; at += 1) size += 1;
    return (g, i) => g.charges[i] === factor * size;
  }

  /** The pattern in $(...), whose first atom is the atom asked about. */
  function recursion() {
    let depth = 0, end = at + 1;
    do {
      if (text[end] === "(") depth += 1;
      if (text[end] === ")") depth -= 1;
      end += 1;
    } while (depth > 0 && end <= text.length);
    if (depth || text[at + 1] !== "(") fail("$ needs a pattern in brackets");
    const inner = parsePattern(text.slice(at + 2, end - 1));
    at = end;
    return (g, i) => findMatches(g, inner, { first: i, most: 1 }).length > 0;
  }

  function primitive() {
    const two = rest().slice(0, 2), letter = text[at];
    if (letter === undefined || letter === "]") return null;
    if (TWO_LETTERS.has(two)) return symbolTest(take(2));
    if (two === "se" || two === "as") return symbolTest(take(2));
    if (letter === "H" && /\[\d*$/.test(text.slice(0, at)) && rest().match(/^H[+\-\]]/)) { at += 1; return isElement("H"); }
    if (letter in COUNTED) { at += 1; return COUNTED[letter](number()); }
    if (ONE_LETTER.has(letter) || AROMATIC.has(letter) || "*aA".includes(letter)) return symbolTest(take(1));
    if (letter === "#") { at += 1; const n = number(); return n < NUMBERS.length ? isElement(NUMBERS[n]) : fail("unknown atomic number"); }
    if ("+-".includes(letter)) return charge();
    if (letter === "@") { at += rest().match(/^@{1,2}/)[0].length; return always; }
    if (letter === "$") return recursion();
    if (/\d/.test(letter)) { const n = number(); return (g, i) => g.isotopes[i] === n; }
    return null;
  }

  function bracket() {
    at += 1;
    const test = expression(primitive);
    if (!test) fail("an atom is missing");
    if (text[at] === ":") { at += 1; number(); }
    if (text[at] !== "]") fail(at < text.length ? `'${text[at]}' is not understood` : "a ] is missing");
    at += 1;
    return test;
  }

  function add(test) {
    atoms.push({ test, bonds: [] });
    if (previous >= 0) join(previous, atoms.length - 1, bond || unmarkedBond);
    else if (bond) fail("a bond has no atom before it");
    [previous, bond] = [atoms.length - 1, null];
  }
  /** The later atom knows the bond: atoms are placed in their order. */
  function join(a, b, test) {
    atoms[Math.max(a, b)].bonds.push({ to: Math.min(a, b), test });
  }
  function closure() {
    if (previous < 0) fail("a ring number has no atom before it");
    const label = text[at] === "%" ? (rest().match(/^%\d\d/) || fail("% needs two digits"))[0] : text[at];
    at += label.length;
    const name = String(Number(label.replace("%", ""))), start = open.get(name);
    if (!start) open.set(name, { atom: previous, bond });
    else {
      if (start.atom === previous) fail("a ring closes on its own atom");
      join(start.atom, previous, bond || start.bond || unmarkedBond);
      open.delete(name);
    }
    bond = null;
  }

  while (at < text.length) {
    const letter = text[at], symbol = rest().match(BARE)?.[0];
    if (symbol) add(symbolTest(take(symbol.length)));
    else if (letter === "[") add(bracket());
    else if (letter === "(" && previous >= 0) { branches.push(previous); at += 1; }
    else if (letter === ")" && branches.length) { previous = branches.pop(); at += 1; }
    else if (/[\d%]/.test(letter)) closure();
    else if (letter === "." && previous >= 0) { [previous, bond] = [-1, null]; at += 1; }
    else if (!bond) { bond = expression(() => BONDS[text[at]] && BONDS[take(1)]); if (!bond) fail(`'${letter}' is not understood`); }
    else fail(`'${letter}' is not understood`);
  }
  if (bond) fail("a bond has no atom behind it");
  if (branches.length) fail("a ) is missing");
  if (open.size) fail(`ring ${[...open.keys()][0]} is not closed`);
  if (previous < 0) fail("an atom is missing");
  return { atoms };
}
