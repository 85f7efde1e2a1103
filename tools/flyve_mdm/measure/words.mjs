// What words.py asks for, in MicroPython's WebAssembly build under Node: words of 32 bits.
// stdin: {"micropython": path, "script": importing.py, "files": {path: base64}, "everything":
// modules, "sets": [modules]}, modules as the words of a text; stdout: [[names, taken, there]].
// Each set gets a new interpreter, in whose memory nothing was before. A collection happens there
// only between two calls.

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";

const task = JSON.parse(readFileSync(0, "utf8"));
const { loadMicroPython } = await import(pathToFileURL(task.micropython).href);

async function interpreter() {
    const said = [];
    const python = await loadMicroPython({ heapsize: 1 << 20, stdout: (line) => said.push(line) });
    for (const [path, data] of Object.entries(task.files)) {
        python.FS.mkdirTree(dirname(path));
        python.FS.writeFile(path, Buffer.from(data, "base64"));
    }
    python.runPython(task.script);
    const call = (name, ...args) => python.globals.get(name)(...args);
    const live = () => (call("collect"), call("used"));
    return { said, call, live };
}

const first = await interpreter();
first.call("load", task.everything);
first.call("tell_names");
const names = first.said.map((line) => line.match(/^Q\((\S+)\)\s*$/)?.[1]).join(" ");

const found = [];
for (const modules of task.sets) {
    const { call, live } = await interpreter();
    const bare = live();
    call("intern", names);
    const before = live();
    call("load", modules);
    found.push([before - bare, live() - before, call("there")]);
}
console.log(JSON.stringify(found));
