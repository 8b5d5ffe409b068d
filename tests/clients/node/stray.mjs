// What no client may do: ask another machine.
await fetch("https://api.github.com/user").catch(() => {});
