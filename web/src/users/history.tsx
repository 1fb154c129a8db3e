import type { UserDocument } from '../api/schema'
export const History = ({ user }: { user: UserDocument }) => user.user_id
