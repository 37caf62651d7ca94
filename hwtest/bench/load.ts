// Runs inside a client pod of the bench and prints one JSON object. Usage:
//   load.ts connections ADDRESS PORT SECONDS AT        connect, a byte there and back, close; AT at a time
//   load.ts idle ADDRESS PORT COUNT                    COUNT connections with a byte echoed, held until killed
//   load.ts roundtrip ADDRESS PORT COUNT               1 KiB there and back on one connection
//   load.ts requests ADDRESS PORT SECONDS COUNT        the same on COUNT connections, as often as it goes
//   load.ts paced ADDRESS PORT SECONDS RATE FRESH      RATE a second; every FRESH-th by its own connection
import { Epoll } from '#proxy/native/epoll.ts';
import { connections, hold, type Target } from './loadConnections.ts';
import { paced, roundTrips, saturate } from './loadRequests.ts';
import { nameOf } from './sockets.ts';

const [mode = '', address = '', port = '0', ...amounts] = process.argv.slice(2);
const target: Target = { poll: new Epoll(), name: nameOf(address, Number(port)) };
const [first = 0, second = 0, third = 0] = amounts.map(Number);

const say = (result: object): void => void process.stdout.write(`${JSON.stringify(result)}\n`);

function idle(count: number): void {
  const { held, failed } = hold(target, count);
  say({ opened: held.length, failed });
  setInterval(() => undefined, 60_000); // holds them
}

switch (mode) {
  case 'connections':
    say(connections(target, first, second));
    break;
  case 'idle':
    idle(first);
    break;
  case 'roundtrip':
    say(roundTrips(target, first));
    break;
  case 'requests':
    say(saturate(target, first, second));
    break;
  case 'paced':
    say(paced(target, first, second, third));
    break;
  default:
    throw new RangeError(`no mode ${mode}`);
}
