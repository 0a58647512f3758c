/** A backend that does not boot: says why on stderr and ends. */
for (let line = 1; line <= 30; line += 1) console.error(`line ${line}`);
console.error('the database is on holiday');
process.exitCode = 7;
