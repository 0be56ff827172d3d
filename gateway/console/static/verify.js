// Verifies an entry of the log in the reader's own browser: nothing here trusts the server's word.
//
// RFC 6962 2.1 (hashes), RFC 9162 2.1.3.2 (inclusion) and 2.1.4.2 (consistency), C2SP signed-note
// and tlog-checkpoint. WebCrypto computes SHA-256 and checks Ed25519.

const encoder = new TextEncoder();
const subtle = globalThis.crypto && globalThis.crypto.subtle;

class Malformed extends Error {}

const joined = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
};
const sha256 = async (...parts) => new Uint8Array(await subtle.digest("SHA-256", joined(...parts)));
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const node = (left, right) => sha256(Uint8Array.of(1), left, right);

// Standard base64 in its one canonical spelling.
const base64 = (text) => {
  let found;
  try { found = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); } catch { throw new Malformed(); }
  if (btoa(String.fromCharCode(...found)) !== text) throw new Malformed();
  return found;
};
const hex = (text) => Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));

// The root to which an inclusion proof leads, or null where it is too long or too short.
export async function rootOf(leaf, index, size, path) {
  let position = BigInt(index), last = BigInt(size) - 1n, current = leaf;
  if (position > last) return null;
  for (const sibling of path) {
    if (last === 0n) return null;
    if (position & 1n || position === last) {
      current = await node(sibling, current);
      while (!(position & 1n) && position) { position >>= 1n; last >>= 1n; }
    } else {
      current = await node(current, sibling);
    }
    position >>= 1n; last >>= 1n;
  }
  return last === 0n ? current : null;
}

// Whether the tree of `size` under `root` extends the one of `old` under `oldRoot`.
export async function extendsTree(old, size, path, oldRoot, root) {
  if (old === size) return path.length === 0 && same(oldRoot, root);
  if (old <= 0 || old > size) return false;
  let position = BigInt(old) - 1n, last = BigInt(size) - 1n;
  const power = (BigInt(old) & (BigInt(old) - 1n)) === 0n;
  const whole = power ? [oldRoot, ...path] : path;
  if (!whole.length) return false;
  while (position & 1n) { position >>= 1n; last >>= 1n; }
  let seenOld = whole[0], seen = whole[0];
  for (const sibling of whole.slice(1)) {
    if (last === 0n) return false;
    if (position & 1n || position === last) {
      seenOld = await node(sibling, seenOld);
      seen = await node(sibling, seen);
      while (!(position & 1n) && position) { position >>= 1n; last >>= 1n; }
    } else {
      seen = await node(seen, sibling);
    }
    position >>= 1n; last >>= 1n;
  }
  return last === 0n && same(seenOld, oldRoot) && same(seen, root);
}

// A verifier key: name, four bytes of id, 32 bytes of Ed25519 key.
export async function parseKey(text) {
  const [name, id, rest] = [text.split("+")[0], text.split("+")[1], text.split("+").slice(2).join("+")];
  if (!name || !id || !rest) throw new Malformed();
  const material = base64(rest);
  if (material.length !== 33 || material[0] !== 1) throw new Malformed();
  const wanted = (await sha256(encoder.encode(name + "\n"), material)).slice(0, 4);
  if (!same(wanted, hex(id))) throw new Malformed();
  return { name, id: wanted, key: material.slice(1) };
}

// A checkpoint, whose signatures nobody has looked at yet.
export function parseCheckpoint(note) {
  const cut = note.lastIndexOf("\n\n");
  if (cut < 0 || !note.endsWith("\n")) throw new Malformed();
  const text = note.slice(0, cut + 1);
  const lines = text.split("\n");
  if (lines.length < 4 || !/^(0|[1-9][0-9]{0,15})$/.test(lines[1])) throw new Malformed();
  const root = base64(lines[2]);
  if (root.length !== 32) throw new Malformed();
  const signatures = note.slice(cut + 2, -1).split("\n").map((line) => {
    const found = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (!found) throw new Malformed();
    const blob = base64(found[2]);
    return { name: found[1], id: blob.slice(0, 4), signature: blob.slice(4) };
  });
  return { text, origin: lines[0], size: Number(lines[1]), root, signatures };
}

// "good", "bad", or "unable" where the browser has no Ed25519.
export async function signed(checkpoint, key) {
  const lines = checkpoint.signatures.filter((line) => line.name === key.name && same(line.id, key.id));
  if (!lines.length || checkpoint.origin !== key.name) return "bad";
  let imported;
  try {
    imported = await subtle.importKey("raw", key.key, { name: "Ed25519" }, false, ["verify"]);
  } catch { return "unable"; }
  for (const line of lines) {
    const holds = await subtle.verify({ name: "Ed25519" }, imported, line.signature, encoder.encode(checkpoint.text));
    if (!holds) return "bad";
  }
  return "good";
}

async function fetched(address) {
  const reply = await fetch(address, { headers: { accept: "application/json" } });
  if (!reply.ok) throw new Error(String(reply.status));
  return reply.json();
}

// What can be said of the entry: one of the words of the page.
// `ownWord`: the reader took checkpoint and key from the page itself.
async function judged(page, note, vkey, ownWord) {
  const key = await parseKey(vkey.trim());
  const checkpoint = parseCheckpoint(note.replace(/\r\n/g, "\n").trimEnd() + "\n");
  const signature = await signed(checkpoint, key);
  if (signature === "bad") return ["bad", "signature"];
  const index = Number(page.index), leaf = await sha256(Uint8Array.of(0), base64(page.content));
  const holds = async (size, path, root) => {
    const found = await rootOf(leaf, index, size, path.map(hex));
    return found !== null && same(found, root);
  };
  const own = parseCheckpoint(page.checkpoint);
  if (index >= checkpoint.size) {
    // Newer than what the reader knows: the log must extend that, and hold the entry now.
    if (await signed(own, key) === "bad") return ["bad", "fork"];
    const proof = await fetched(`/log/consistency.json?old=${checkpoint.size}`);
    const now = proof.size === own.size ? own : parseCheckpoint(await (await fetch("/log/checkpoint")).text());
    if (now !== own && await signed(now, key) === "bad") return ["bad", "fork"];
    if (!await extendsTree(checkpoint.size, now.size, proof.path.map(hex), checkpoint.root, now.root)) return ["bad", "fork"];
    const inclusion = await fetched(`/log/${index}/proof.json?size=${now.size}`);
    if (!await holds(now.size, inclusion.path, now.root)) return ["bad", "bad"];
    return signature === "unable" ? ["warn", "noEd25519"] : ["good", "newer"];
  }
  const path = checkpoint.size === Number(page.size)
    ? page.path.split(" ").filter(Boolean)
    : (await fetched(`/log/${index}/proof.json?size=${checkpoint.size}`)).path;
  if (!await holds(checkpoint.size, path, checkpoint.root)) return ["bad", "bad"];
  if (signature === "unable") return ["warn", "noEd25519"];
  return ownWord ? ["warn", "own"] : ["good", "good"];
}

const shelf = (page) => `landbridge.checkpoint.${page.origin}`;
const pinned = (page) => {
  try { return JSON.parse(localStorage.getItem(shelf(page)) || "null"); } catch { return null; }
};

function start(place) {
  const page = place.dataset;
  const [note, vkey, verdict, drawing] = ["checkpoint", "vkey", "verdict", "drawing"].map((id) => document.getElementById(id));
  const word = (name) => page[`word${name[0].toUpperCase()}${name.slice(1)}`];
  const say = (kind, name) => {
    verdict.className = kind;
    verdict.textContent = word(name);
    drawing.classList.remove("good", "bad");
    if (kind === "good" || kind === "bad") drawing.classList.add(kind);
  };
  let taken = false;
  for (const field of [note, vkey]) field.addEventListener("input", () => { taken = false; });
  const kept = pinned(page);
  if (kept) { note.value = kept.note; vkey.value = kept.vkey; }
  const run = async () => {
    if (!subtle) { say("warn", "noCrypto"); return; }
    say("", "running");
    try {
      say(...await judged(page, note.value, vkey.value, taken));
    } catch (problem) {
      say("bad", problem instanceof Malformed ? "form" : "bad");
    }
  };
  document.getElementById("run").addEventListener("click", run);
  document.getElementById("own").addEventListener("click", () => {
    note.value = page.checkpoint; vkey.value = page.vkey; taken = true; run();
  });
  document.getElementById("pin").addEventListener("click", async () => {
    try {
      parseCheckpoint(note.value.replace(/\r\n/g, "\n").trimEnd() + "\n");
      await parseKey(vkey.value.trim());
    } catch { say("bad", "form"); return; }
    localStorage.setItem(shelf(page), JSON.stringify({ note: note.value, vkey: vkey.value }));
    say("", "pinned");
  });
  if (kept) run();
}

const place = document.getElementById("verify");
if (place) start(place);
