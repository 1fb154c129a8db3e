import type { UserDocument } from '../api/schema'
export const Talk = ({ user }: { user: UserDocument }) => user.user_id
