// A WhatsApp client on Baileys 7 for the sandbox, driven over stdin and stdout.
//
//   node client.mjs <ws url> <root key in hex> <folder for the credentials>
//
// It writes one JSON object a line:
// {event: 'qr' | 'open' | 'message' | 'status' | 'group' | 'members' | 'done' | 'closed', …}
// and reads one a line: {send: {to, …content}}, {read: {chat, id}}, {call: [name, …arguments]},
// {open: id}, {stop: true}. 'opened' tells the file of a message, base64. What a call gave is told by 'done', and what it refused with as its `error`.
import { createInterface } from 'node:readline'
import makeWASocket, {
  downloadMediaMessage,
  DisconnectReason,
  WA_CERT_DETAILS,
  useMultiFileAuthState,
} from 'baileys'
import pino from 'pino'

const [url, rootKey, folder] = process.argv.slice(2)
// The root of the certificate chain that it is to trust.
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')

// Messages with files, to be opened later.
const files = new Map()
const tell = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
const logger = pino({ level: process.env.BAILEYS_LOG ?? 'silent' }, pino.destination(2))
const { state, saveCreds } = await useMultiFileAuthState(folder)

let socket
let stopping = false

function connect() {
  socket = makeWASocket({
    waWebSocketUrl: url,
    version: [2, 3000, 1035194821],
    auth: state,
    logger,
    connectTimeoutMs: 5_000,
    syncFullHistory: false,
    shouldSyncHistoryMessage: () => false,
  })
  socket.ev.on('creds.update', saveCreds)
  socket.ev.on('connection.update', ({ connection, qr, lastDisconnect }) => {
    if (qr) tell('qr', { code: qr })
    if (connection === 'open') tell('open', { jid: socket.user.id, lid: socket.user.lid })
    if (connection === 'close' && !stopping) {
      const code = lastDisconnect?.error?.output?.statusCode
      // What is meant to run comes back, whoever displaced it.
      if (code === DisconnectReason.restartRequired || process.env.BAILEYS_INSISTS) return connect()
      tell('closed', { code, reason: lastDisconnect?.error?.message })
      process.exit(0)
    }
  })
  socket.ev.on('messages.upsert', ({ messages }) => {
    for (const { key, message, status } of messages) {
      // A receipt that comes while events are buffered is folded into the message.
      if (key.fromMe && status) tell('status', { id: key.id, status })
      const text = message?.conversation ?? message?.extendedTextMessage?.text
      const { remoteJid: chat, fromMe, participant } = key
      if (message) files.set(key.id, { key, message })
      if (message) tell('message', { id: key.id, chat, fromMe: !!fromMe, participant, text, message })
    }
  })
  socket.ev.on('messages.update', (updates) => {
    for (const { key, update } of updates) {
      if (update.status) tell('status', { id: key.id, status: update.status })
    }
  })
  socket.ev.on('groups.upsert', (groups) => groups.forEach((group) => tell('group', group)))
  socket.ev.on('group-participants.update', ({ id, action }) => tell('members', { id, action }))
}

connect()

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  if (command.send) {
    const { to, ...content } = command.send
    try {
      const sent = await socket.sendMessage(to, content)
      tell('sent', { id: sent.key.id })
    } catch (error) {
      tell('sent', { error: String(error) })
    }
  }
  if (command.call) {
    const [name, ...given] = command.call
    try {
      tell('done', { name, result: await socket[name](...given) })
    } catch (error) {
      tell('done', { name, error: error.data ?? error.message })
    }
  }
  if (command.open) {
    try {
      const file = await downloadMediaMessage(files.get(command.open), 'buffer', {})
      tell('opened', { id: command.open, file: file.toString('base64') })
    } catch (error) {
      tell('opened', { id: command.open, error: String(error) })
    }
  }
  if (command.read) {
    await socket.readMessages([{ remoteJid: command.read.chat, id: command.read.id, fromMe: false }])
  }
  if (command.stop) break
}
stopping = true
socket.end(undefined)
process.exit(0)
