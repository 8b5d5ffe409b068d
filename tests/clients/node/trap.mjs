// Whatever this process wants of another machine ends in the trap of the test.
import net from "node:net";

const HERE = new Set(["127.0.0.1", "::1", "localhost"]);
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...args) {
  // net.connect normalizes its arguments into one array before it gets here.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const wanted = typeof options === "object" ? options : { port: args[0], host: args[1] };
  if (wanted.path === undefined && !HERE.has(wanted.host ?? "localhost")) {
    console.error(`a connection to ${wanted.host}:${wanted.port}`);
    return connect.call(this, { host: "127.0.0.1", port: Number(process.env.TRAP_PORT) });
  }
  return connect.apply(this, args);
};
