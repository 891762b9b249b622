// A read-only file system of one project, in the shape of Node's `fs` that Go's wasm runtime calls.
// This is all that esbuild can read: no path leads out of it, whatever a script imports.
"use strict";

{
  const files = new Map(); // absolute path -> text, or its bytes once they were asked for
  const folders = new Map(); // absolute path -> names in it
  const open = new Map(); // descriptor -> { path, at }
  let lastDescriptor = 2;

  // Replace everything there is by `tree` (absolute path -> text).
  globalThis.mount = (tree) => {
    files.clear();
    folders.clear();
    open.clear();
    folders.set("/", []);
    for (const [path, text] of tree) {
      files.set(path, text);
      addToFolder(path);
    }
  };

  function addToFolder(path) {
    const cut = path.lastIndexOf("/");
    const parent = path.slice(0, cut) || "/";
    if (!folders.has(parent)) {
      folders.set(parent, []);
      addToFolder(parent);
    }
    folders.get(parent).push(path.slice(cut + 1));
  }

  const failure = (code) => Object.assign(new Error(code), { code });

  function clean(path) {
    const parts = [];
    for (const part of path.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== "" && part !== ".") parts.push(part);
    }
    return `/${parts.join("/")}`;
  }

  function bytesOf(path) {
    const held = files.get(path);
    if (typeof held !== "string") return held;
    const bytes = new TextEncoder().encode(held);
    files.set(path, bytes);
    return bytes;
  }

  function stat(path) {
    const isFolder = folders.has(path);
    if (!isFolder && !files.has(path)) throw failure("ENOENT");
    return {
      dev: 1, ino: 1, nlink: 1, uid: 0, gid: 0, rdev: 0, blksize: 4096, blocks: 0,
      atimeMs: 0, mtimeMs: 0, ctimeMs: 0,
      mode: isFolder ? 0o40555 : 0o100444,
      size: isFolder ? 0 : bytesOf(path).length,
      isDirectory: () => isFolder,
    };
  }

  // Node's way of answering: the callback comes last and takes (error, value).
  const answering = (work) => (...args) => {
    const callback = args.pop();
    let value;
    try {
      value = work(...args);
    } catch (error) {
      callback(error.code === undefined ? failure("EIO") : error);
      return;
    }
    callback(null, value);
  };

  let readStdin;
  let writeStdout;
  const fs = {
    constants: { O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024, O_DIRECTORY: 65536 },
    stat: answering((path) => stat(clean(path))),
    lstat: answering((path) => stat(clean(path))),
    fstat: answering((descriptor) => stat(open.get(descriptor).path)),
    open: answering((path) => {
      const at = clean(path);
      stat(at);
      open.set(++lastDescriptor, { path: at, at: 0 });
      return lastDescriptor;
    }),
    close: answering((descriptor) => void open.delete(descriptor)),
    readdir: answering((path) => {
      const names = folders.get(clean(path));
      if (names === undefined) throw failure("ENOTDIR");
      return [...names];
    }),
    readlink: answering(() => {
      throw failure("EINVAL");
    }),
    fsync: answering(() => {}),
    write(descriptor, buffer, _offset, _length, _position, callback) {
      callback(null, writeStdout(descriptor, buffer));
    },
    // esbuild puts its own channel in these two; reads of anything but stdin are ours.
    get writeSync() {
      return writeStdout;
    },
    set writeSync(channel) {
      writeStdout = channel;
    },
    get read() {
      return (descriptor, buffer, offset, length, position, callback) => {
        const file = open.get(descriptor);
        if (file === undefined) return readStdin(descriptor, buffer, offset, length, position, callback);
        const at = position ?? file.at;
        const part = bytesOf(file.path).subarray(at, at + length);
        buffer.set(part, offset);
        if (position === null) file.at += part.length;
        callback(null, part.length);
      };
    },
    set read(channel) {
      readStdin = channel;
    },
  };
  const refused = answering(() => {
    throw failure("EROFS");
  });
  for (const name of ["chmod", "chown", "fchmod", "fchown", "ftruncate", "lchown", "link", "mkdir",
    "rename", "rmdir", "symlink", "truncate", "unlink", "utimes"]) fs[name] = refused;
  globalThis.fs = fs;
}
